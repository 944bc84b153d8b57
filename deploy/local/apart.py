"""What parts a restored server from what lives: its settings, and who may get in."""

from __future__ import annotations

import pwd
from pathlib import Path

from deploy.fleet.planning import LOOPBACK
from deploy.fleet.postgres import render_access
from deploy.local import ports, processes

_LONGEST_SOCKET = 90
"""A socket's path has room for 107 bytes, its own name among them."""
_MAP = "beside"


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
    with (data / "postgresql.auto.conf").open("a") as handle:
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
