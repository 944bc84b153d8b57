"""One cluster restored beside what lives: made from a backup and WAL, recovered, promoted, stopped.

Nothing of it reaches what lives: it archives nothing, follows nobody, subscribes to nothing, and
listens on a free loopback port.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.backups.history import SEGMENT_BYTES, Backup, Moment
from deploy.backups.installation import Backed
from deploy.backups.tool import Progress, Tool
from deploy.errors import Refused
from deploy.local import processes
from deploy.local.apart import forget_recovery, set_apart
from deploy.local.beside import Lying, running

_ROOM = 1.1  # of the cluster's size: WAL comes on top
_FETCHED = re.compile(r'restored log file "')
_LAST = re.compile(r"last completed transaction was at log time (.+)")


class Shown(Protocol):
    """Where a restore tells how far it is."""

    def meter(self, what: str, total: int) -> AbstractContextManager[Progress]:
        """Something of so many bytes begins; the block hears what part is done."""

    def say(self, text: str) -> None:
        """A line."""


@dataclass(frozen=True)
class Order:
    """What to restore: a server's cluster from this backup to that moment, and where to."""

    server: Backed
    backup: Backup
    moment: Moment
    lying: Lying

    @property
    def data(self) -> Path:
        """The data folder to be."""
        return self.lying.data

    def how_far(self) -> str:
        """How much WAL was replayed; how much is to come is known of restore points alone."""
        text = self.lying.log.read_text(errors="replace")
        done = len(_FETCHED.findall(text)) * SEGMENT_BYTES
        eta = "nobody can tell how much is to come"
        if self.moment.lsn is not None:
            eta = f"of about {max(self.moment.lsn - self.backup.start_lsn, 0) / 1024**2:.0f} MiB"
        return f"{self.server.cluster}: replayed {done / 1024**2:.0f} MiB of WAL, {eta}"


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored cluster. `last_commit` is the server's word of the last transaction it has."""

    cluster: str
    data: str
    port: int
    backup: str
    repository: int
    restored_bytes: int
    restore_seconds: float
    replayed_segments: int
    replay_seconds: float
    last_commit: str | None


def restore(tool: Tool, order: Order, shown: Shown) -> Restored:
    """Restore, recover to the moment, promote, stop.

    Raises:
        OperatorError: what was made stays for whoever looks for the cause.
    """
    begun = time.monotonic()
    user = order.lying.user
    order.data.mkdir(mode=0o700)
    processes.give(order.data, user)
    with shown.meter(f"{order.server.cluster}: files", order.backup.size) as meter:
        tool.run(order.server, _arguments(order), told=meter)
    _check_version(order)
    copied = time.monotonic()
    port = set_apart(order.data, order.server.cluster, user)
    with running(order.lying, shown.say, order.how_far):
        serving = time.monotonic()
    forget_recovery(order.data)
    log = order.lying.log.read_text(errors="replace")
    last = _LAST.findall(log)
    return Restored(
        cluster=order.server.cluster,
        data=str(order.data),
        port=port,
        backup=order.backup.label,
        repository=order.backup.repository,
        restored_bytes=order.backup.size,
        restore_seconds=round(copied - begun, 1),
        replayed_segments=len(_FETCHED.findall(log)),
        replay_seconds=round(serving - copied, 1),
        last_commit=last[-1] if last else None,
    )


def require_room(orders: list[Order], into: Path) -> None:
    """Refuse what does not fit.

    Raises:
        Refused.
    """
    needed = sum(order.backup.size for order in orders) * _ROOM
    free = shutil.disk_usage(into).free
    if free < needed:
        raise Refused(
            f"{into} has {free / 1024**3:.1f} GiB free, and {needed / 1024**3:.1f} GiB are needed.",
            "Nothing was restored.",
            "Name a folder on a larger disk.",
        )


def _arguments(order: Order) -> list[str]:
    moment = order.moment
    target = ["--type=default"]
    if moment.point is not None:
        target = ["--type=name", f"--target={moment.point}", f"--target-timeline={moment.timeline}"]
    elif moment.at is not None:
        # What was committed at that very microsecond is not before it.
        stamp = moment.at.strftime("%Y-%m-%d %H:%M:%S.%f+00")
        target = ["--type=time", f"--target={stamp}", "--target-exclusive"]
    if moment.point is not None or moment.at is not None:
        target.append("--target-action=promote")
    return [
        f"--pg1-path={order.data}",
        f"--repo={order.backup.repository}",
        f"--set={order.backup.label}",
        "--archive-mode=off",
        *target,
        "restore",
    ]


def _check_version(order: Order) -> None:
    made_by = (order.data / "PG_VERSION").read_text().strip()
    told = subprocess.run(
        [str(order.lying.programs / "postgres"), "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if not re.search(rf"\b{made_by}\.", told):
        raise Refused(
            f"The backup is PostgreSQL {made_by}'s, and {order.lying.programs} has {told.strip()}.",
            "The files are there; no server was started on them.",
            "Set DOCSHARD_POSTGRES to that version's programs.",
        )
