"""What parts a restored server from what lives: its settings, and who may get in."""

from __future__ import annotations

import pwd
import re
from collections.abc import Sequence
from pathlib import Path

from deploy.fleet.planning import LOOPBACK
from deploy.fleet.postgres import render_access
from deploy.local import ports, processes

_LONGEST_SOCKET = 90
"""A socket's path has room for 107 bytes, its own name among them."""
_MAP = "beside"
_OWN = "postgresql.auto.conf"
_FROM_HERE = "# Apart from what lives, from here on."
_RECOVERY = re.compile(r"#.*pgBackRest|(restore_command|recovery_target|archive_mode)\w*\s*=")
"""What pgBackRest writes there for the recovery; that nothing is archived, too."""


def has_socket(data: Path) -> bool:
    """Whether the restored server can be asked by a socket in its data folder."""
    return len(str(data)) <= _LONGEST_SOCKET


def set_apart(data: Path, cluster: str, user: str | None) -> int:
    """Give the data settings that part it from what lives; the last word in a file counts.

    Answers its port. By the socket, in a folder that is nobody else's, its owner and root are
    superuser: it is theirs anyway.
    """
    port = ports.free()
    settings = {
        "listen_addresses": LOOPBACK,
        "port": str(port),
        "unix_socket_directories": str(data) if has_socket(data) else "",
        "unix_socket_permissions": "0700",
        "archive_mode": "off",
        "archive_command": "",
        "primary_conninfo": "",
        "primary_slot_name": "",
        "synchronous_standby_names": "",
        # Its subscriptions are those of moves that live: it must not take what is sent to them.
        "max_logical_replication_workers": "0",
        "ssl": "off",
        "shared_buffers": "128MB",
        # Nobody reads meanwhile; and limits that were raised since would stop the recovery.
        "hot_standby": "off",
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_min_messages": "log",
        "cluster_name": f"restored {cluster}",
        # Where a distribution keeps these elsewhere, the data has none.
        "hba_file": str(data / "pg_hba.conf"),
        "ident_file": str(data / "pg_ident.conf"),
    }
    with (data / _OWN).open("a") as handle:
        handle.write(f"{_FROM_HERE}\n")
        handle.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    owner = user or pwd.getpwuid(data.stat().st_uid).pw_name
    texts = {
        "pg_hba.conf": f"local all postgres peer map={_MAP}\n" + render_access([f"{LOOPBACK}/32"]),
        "pg_ident.conf": "".join(f"{_MAP} {one} postgres\n" for one in sorted({owner, "root"})),
    }
    if not (data / "postgresql.conf").exists():
        texts["postgresql.conf"] = ""
    for name, text in texts.items():
        (data / name).write_text(text)
        processes.give(data / name, user)
    return port


def listen_elsewhere(data: Path) -> int:
    """Give a restored server a port that is free now; answers it."""
    port = ports.free()
    with (data / _OWN).open("a") as handle:
        handle.write(f"port = '{port}'\n")
    return port


def forget_recovery(data: Path) -> None:
    """Take away where WAL comes from, once it was replayed: a server that is put into recovery
    again would go on with what others have archived since."""
    lines = (data / _OWN).read_text().splitlines()
    apart = lines.index(_FROM_HERE)
    kept = [line for line in lines[:apart] if not _RECOVERY.match(line)]
    _rewrite(data / _OWN, [*kept, *lines[apart:]])


def rejoin(data: Path) -> None:
    """Take away what parts it from what lives: the next start is in the fleet's own configuration.

    Access and names of users are the fleet's to write; ours are not to be believed there.
    """
    lines = (data / _OWN).read_text().splitlines()
    if _FROM_HERE in lines:
        _rewrite(data / _OWN, lines[: lines.index(_FROM_HERE)])
    for name in ("pg_hba.conf", "pg_ident.conf"):
        (data / name).write_text("")
    _archive_history(data)


def _archive_history(data: Path) -> None:
    """Have the history of its timeline archived, which began while nothing was: without it nobody
    could restore to a point on it. Those of timelines between stay away: so whoever restores an
    older backup is not led from the history of then into this one."""
    wal = data / "pg_wal"
    newest = max((path.name for path in wal.glob("*.history")), default=None)
    if newest is not None:
        ready = wal / "archive_status" / f"{newest}.ready"
        ready.touch()
        processes.give(ready, pwd.getpwuid(data.stat().st_uid).pw_name)


def _rewrite(path: Path, lines: Sequence[str]) -> None:
    """In place, so that it stays its owner's."""
    path.write_text("".join(f"{line}\n" for line in lines))
