"""A restored server that runs for a while, apart from what lives."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.backups.history import SEGMENT_BYTES
from deploy.errors import OperatorError
from deploy.local import processes
from deploy.local.postgres import ENVIRONMENT
from deploy.local.waiting import awaited

_RECOVERY_SECONDS = 6 * 3600.0
_TELL_SECONDS = 2.0
_STOP_SECONDS = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Lying:
    """A cluster's files below `into`. `programs` is the folder with PostgreSQL's, `user` theirs."""

    cluster: str
    into: Path
    programs: Path
    user: str | None

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.into / self.cluster

    @property
    def log(self) -> Path:
        """The server's words."""
        return self.into / f"{self.cluster}.log"


def promote_again(lying: Lying, say: Say) -> None:
    """Let a stopped restored server begin one timeline more, with nothing else changed.

    Raises:
        OperatorError: it ended, or does not come up.
    """
    signal_file = lying.data / "standby.signal"
    signal_file.touch()
    processes.give(signal_file, lying.user)
    with running(lying, say):
        say(f"{lying.cluster}: promoted once more")


@contextmanager
def running(lying: Lying, say: Say, how_far: Callable[[], str] | None = None) -> Iterator[None]:
    """The restored server, for as long as the block runs; it is waited for until it takes writes.
    `how_far` is told meanwhile while it recovers.

    Raises:
        OperatorError: it ended, or does not come up.
    """
    with lying.log.open("ab") as log:
        server = subprocess.Popen(
            [str(lying.programs / "postgres"), "-D", str(lying.data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            umask=0o077,
            user=lying.user,
            group=processes.primary_group(lying.user),
            extra_groups=[] if lying.user else None,
        )
    try:
        _await_promotion(lying, server, lambda: say(how_far()) if how_far else None)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _await_promotion(
    lying: Lying, server: subprocess.Popen[bytes], tell: Callable[[], None]
) -> None:
    told, recovering = time.monotonic(), (lying.data / "recovery.signal").exists()

    def look() -> str | None:
        nonlocal told
        if server.poll() is not None:
            return "ended"
        if recovering and time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            tell()
        lock = lying.data / "postmaster.pid"
        lines = lock.read_text().splitlines() if lock.exists() else []
        # A server that was killed has left its lock: what that says is of no use.
        ours = len(lines) > 7 and lines[0] == str(server.pid)
        state = lines[7].strip() if ours else ""
        # One that recovers is `standby`, too, and is left alone until it has reached its target.
        if state == "standby" and (lying.data / "standby.signal").exists():
            # As `pg_ctl promote` does.
            (lying.data / "promote").touch()
            server.send_signal(signal.SIGUSR1)
        ready = state == "ready"
        return "ready" if ready and not (lying.data / "recovery.signal").exists() else None

    if awaited(look, _RECOVERY_SECONDS) != "ready":
        raise _not_recovered(lying)


def _not_recovered(lying: Lying) -> OperatorError:
    log = lying.log.read_text(errors="replace")
    words = [line for line in log.splitlines() if re.search(r"FATAL|PANIC|ERROR", line)][-5:]
    advice = "Nothing that lives was touched. Delete the folder and restore again."
    # WAL that cannot be stored ends a recovery as WAL that is missing does.
    if shutil.disk_usage(lying.into).free < SEGMENT_BYTES:
        advice = f"The disk of {lying.into} is full: name a folder on a larger one. " + advice
    elif "recovery ended before configured recovery target" in log:
        advice = (
            "The repository's WAL ends, or has a gap, before that moment. `docshard backup verify`"
            " says which; `--to latest` restores as far as WAL goes; `--repo 2` uses the other"
            " repository."
        )
    return OperatorError(
        f"{lying.cluster} could not be recovered to that moment.",
        "\n".join(words or log.splitlines()[-5:]),
        advice,
    )
