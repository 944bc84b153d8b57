"""Rendered units, read as systemd reads them, as far as ours go."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# What tests/hosts/services.py does as the unit says.
_PLAYED = frozenset(
    (
        *("Type", "User", "EnvironmentFile", "ExecStart", "Restart", "RestartSec"),
        *("TimeoutStopSec", "KillMode", "LimitNOFILE", "NoNewPrivileges", "CapabilityBoundingSet"),
        *("AmbientCapabilities", "ProtectSystem", "PrivateTmp", "UMask", "ReadWritePaths"),
        *("RuntimeDirectory", "RuntimeDirectoryMode", "RuntimeDirectoryPreserve"),
    )
)
# What takes systemd itself: `systemd-analyze verify` reads it, nobody here enforces it.
_LEFT_OUT = frozenset(
    (
        *("ExecReload", "OOMScoreAdjust", "ProtectHome", "ProtectProc", "ProtectClock"),
        *("ProtectHostname", "ProtectControlGroups", "ProtectKernelLogs", "PrivateDevices"),
        *("ProtectKernelModules", "ProtectKernelTunables", "RestrictAddressFamilies"),
        *("RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality"),
        *("RemoveIPC", "SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber"),
    )
)


@dataclass(frozen=True)
class UnitFile:
    """The [Service] section of a unit, by key; a key may come several times."""

    name: str
    service: dict[str, tuple[str, ...]]

    @property
    def command(self) -> list[str]:
        return [word.replace("%%", "%").replace("$$", "$") for word in self.words("ExecStart")]

    def one(self, key: str) -> str:
        (value,) = self.service[key]
        return value

    def words(self, key: str) -> list[str]:
        return [word for value in self.service.get(key, ()) for word in shlex.split(value)]


def read_unit(path: Path) -> UnitFile:
    """The unit; one that says what nobody here has thought of is refused."""
    service: dict[str, tuple[str, ...]] = {}
    for key, value in _entries(path.read_text(), "Service"):
        service[key] = (*service.get(key, ()), value)
    assert service.keys() <= _PLAYED | _LEFT_OUT, service.keys() - _PLAYED - _LEFT_OUT
    assert (service["Type"], service["Restart"]) == (("exec",), ("always",))
    assert service["ProtectSystem"] == ("strict",)
    return UnitFile(path.stem, service)


def _entries(text: str, wanted: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in text.splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        elif line and not line.startswith(("#", ";")) and section == wanted:
            key, _, value = line.partition("=")
            yield key, value


def read_variables(text: str) -> dict[str, str]:
    """A file of variables, as systemd reads it."""
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            quoted = value.startswith('"')
            found[name] = re.sub(r'\\(["\\$`])', r"\1", value[1:-1]) if quoted else value
    return found
