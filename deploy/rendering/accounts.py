"""Users and folders of each host, for systemd-sysusers and systemd-tmpfiles.

A unit's file system is read-only but for its own folders, which must be there before it starts; and
what is secret must be its reader's alone, whoever has copied it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from deploy.rendering.unit import Unit

_FOLDERS = ("/etc/docshard", "/etc/docshard/tls", "/var/lib/docshard")
_OF_PACKAGES = {"postgres"}
"""PostgreSQL's own package makes it."""


def render(units: Sequence[Unit]) -> Iterator[tuple[PurePosixPath, str]]:
    """<host>/docshard.sysusers and <host>/docshard.tmpfiles for each host."""
    for host in sorted({unit.host for unit in units}):
        own = [unit for unit in units if unit.host == host]
        yield PurePosixPath(host, "docshard.sysusers"), _text(_users(own))
        yield PurePosixPath(host, "docshard.tmpfiles"), _text([*_folders(own), *_modes(own)])


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))


def _users(units: Sequence[Unit]) -> Iterator[str]:
    for name in sorted({unit.user for unit in units} - _OF_PACKAGES):
        yield f'u {name} - "{name} of docshard" /var/lib/docshard'


def _folders(units: Sequence[Unit]) -> Iterator[str]:
    yield from (f"d {path} 0755 root root" for path in _FOLDERS)
    for unit in units:
        yield from (f"d {path} 0700 {unit.user} {unit.user}" for path in unit.writes)


def _modes(units: Sequence[Unit]) -> Iterator[str]:
    """Of files that are there; none is made."""
    for unit in units:
        # systemd reads them before it becomes the unit's user.
        yield from (f"z {path} 0600 root root" for path in unit.environment)
        yield from (f"z {path} 0640 root {unit.user}" for path in unit.secrets)
