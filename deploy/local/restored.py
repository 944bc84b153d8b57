"""One cluster restored beside what lives: made from a backup and WAL, recovered, promoted, stopped.

Nothing of it reaches what lives: it archives nothing, follows nobody, subscribes to nothing, and
listens on a free loopback port.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.backups.history import SEGMENT_BYTES, Backup, Moment
from deploy.backups.installation import Backed
from deploy.backups.tool import Progress, Tool
from deploy.errors import OperatorError, Refused
from deploy.local import processes
from deploy.local.apart import set_apart
from deploy.local.postgres import ENVIRONMENT
from deploy.local.waiting import awaited

_RECOVERY_SECONDS = 6 * 3600.0
_TELL_SECONDS = 2.0
_ROOM = 1.1  # of the cluster's size: WAL comes on top
_STOP_SECONDS = 60.0
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
    """What to restore: a server's cluster from this backup to that moment, below `into`.

    `programs` is the folder with PostgreSQL's.
    """

    server: Backed
    backup: Backup
    moment: Moment
    into: Path
    programs: Path

    @property
    def data(self) -> Path:
        """The data folder to be."""
        return self.into / self.server.cluster

    @property
    def log(self) -> Path:
        """The restored server's words."""
        return self.into / f"{self.server.cluster}.log"


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
    user = tool.installation.user
    order.data.mkdir(mode=0o700)
    processes.give(order.data, user)
    with shown.meter(f"{order.server.cluster}: files", order.backup.size) as meter:
        tool.run(order.server, _arguments(order), told=meter)
    _check_version(order)
    copied = time.monotonic()
    port = set_apart(order.data, order.server.cluster, user)
    with running(order, user, shown):
        serving = time.monotonic()
    log = order.log.read_text(errors="replace")
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


@contextmanager
def running(order: Order, user: str | None, shown: Shown) -> Iterator[None]:
    """The restored server, for as long as the block runs; it is waited for until it takes writes.

    Raises:
        OperatorError: it ended, or does not come up.
    """
    with order.log.open("ab") as log:
        server = subprocess.Popen(
            [str(order.programs / "postgres"), "-D", str(order.data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            umask=0o077,
            user=user,
            group=processes.primary_group(user),
            extra_groups=[] if user else None,
        )
    try:
        _await_promotion(order, server, shown)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


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


def _await_promotion(order: Order, server: subprocess.Popen[bytes], shown: Shown) -> None:
    told, recovering = time.monotonic(), (order.data / "recovery.signal").exists()

    def look() -> str | None:
        nonlocal told
        if server.poll() is not None:
            return "ended"
        if recovering and time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            shown.say(_replayed(order))
        lock = order.data / "postmaster.pid"
        lines = lock.read_text().splitlines() if lock.exists() else []
        ready = len(lines) > 7 and lines[7].strip() == "ready"
        return "ready" if ready and not (order.data / "recovery.signal").exists() else None

    if awaited(look, _RECOVERY_SECONDS) != "ready":
        raise _not_recovered(order)


def _replayed(order: Order) -> str:
    """How much WAL was replayed; how much there is to come is known of restore points alone."""
    done = len(_FETCHED.findall(order.log.read_text(errors="replace"))) * SEGMENT_BYTES
    eta = "nobody can tell how much is to come"
    if order.moment.lsn is not None:
        eta = f"of about {max(order.moment.lsn - order.backup.start_lsn, 0) / 1024**2:.0f} MiB"
    return f"{order.server.cluster}: replayed {done / 1024**2:.0f} MiB of WAL, {eta}"


def _not_recovered(order: Order) -> OperatorError:
    log = order.log.read_text(errors="replace")
    words = [line for line in log.splitlines() if re.search(r"FATAL|PANIC|ERROR", line)][-5:]
    advice = "Nothing that lives was touched. Delete the folder and restore again."
    # WAL that cannot be stored ends a recovery as WAL that is missing does.
    if shutil.disk_usage(order.into).free < SEGMENT_BYTES:
        advice = f"The disk of {order.into} is full: name a folder on a larger one. " + advice
    elif "recovery ended before configured recovery target" in log:
        advice = (
            "The repository's WAL ends, or has a gap, before that moment. `docshard backup verify`"
            " says which; `--to latest` restores as far as WAL goes; `--repo 2` uses the other"
            " repository."
        )
    return OperatorError(
        f"{order.server.cluster} could not be recovered to that moment.",
        "\n".join(words or log.splitlines()[-5:]),
        advice,
    )


def _check_version(order: Order) -> None:
    made_by = (order.data / "PG_VERSION").read_text().strip()
    told = subprocess.run(
        [str(order.programs / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    if not re.search(rf"\b{made_by}\.", told):
        raise Refused(
            f"The backup is PostgreSQL {made_by}'s, and {order.programs} has {told.strip()}.",
            "The files are there; no server was started on them.",
            "Set DOCSHARD_POSTGRES to that version's programs.",
        )
