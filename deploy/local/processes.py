"""Background processes: started in sessions of their own, found again by pid and start time."""

from __future__ import annotations

import contextlib
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pydantic import ValidationError

from deploy.errors import OperatorError
from deploy.fleet.model import Part
from deploy.local.home import write_private
from deploy.local.ports import accepts
from deploy.local.waiting import awaited

HOME_MARK = "DOCSHARD_FLEET_HOME"
PART_MARK = "DOCSHARD_FLEET_PART"
# A start time read from the kernel wobbles when the clock is set; a reused pid differs by more.
_SAME_START_SECONDS = 2.0
# Kept so that a long-lived parent (a test run) reaps what it started.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Command:
    """A program to run in the background. `user` None means: as whoever calls."""

    arguments: list[str]
    folder: Path
    log: Path
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Recorded(Part):
    """A pid file: which process was started, and from which code and configuration."""

    pid: int
    created: float
    fingerprint: str = ""


def spawn(command: Command, mark: Mapping[str, str]) -> psutil.Process:
    """Start a program detached from this terminal, its output appended to its log."""
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        child = subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=command.folder,
            env={**command.environment, **mark},
            start_new_session=True,
            umask=0o077,
            user=command.user,
            group=primary_group(command.user),
            extra_groups=[] if command.user else None,
        )
    _children.append(child)
    return psutil.Process(child.pid)


def run_tool(arguments: list[str], user: str | None, environment: Mapping[str, str]) -> None:
    """Run a program to its end.

    Raises:
        OperatorError: it failed; its last words are told.
    """
    done = subprocess.run(
        arguments,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=dict(environment),
        umask=0o077,
        user=user,
        group=primary_group(user),
        extra_groups=[] if user else None,
    )
    if done.returncode != 0:
        raise OperatorError(
            f"{Path(arguments[0]).name} failed with status {done.returncode}.",
            "\n".join(done.stderr.strip().splitlines()[-5:]),
            "Mend the cause and run `docshard up` again: it goes on where it stopped.",
        )


def give(path: Path, user: str | None) -> None:
    """Hand a file or folder to the servers' user."""
    if user:
        shutil.chown(path, user, primary_group(user))


def primary_group(user: str | None) -> int | None:
    """The gid that belongs to a user."""
    return pwd.getpwnam(user).pw_gid if user else None


def record(pidfile: Path, process: psutil.Process, fingerprint: str) -> None:
    """Write the pid file of a process."""
    recorded = Recorded(pid=process.pid, created=process.create_time(), fingerprint=fingerprint)
    write_private(pidfile, recorded.model_dump_json() + "\n")


def read_record(pidfile: Path) -> Recorded | None:
    """What the pid file says, None when there is none or it is torn."""
    try:
        return Recorded.model_validate_json(pidfile.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def find(pidfile: Path) -> psutil.Process | None:
    """The living process of a pid file; a process that only reuses its pid is not taken for it."""
    recorded = read_record(pidfile)
    if recorded is None:
        return None
    process = alive(recorded.pid)
    if process and abs(process.create_time() - recorded.created) < _SAME_START_SECONDS:
        return process
    return None


def alive(pid: int) -> psutil.Process | None:
    """The process of that pid unless it has ended."""
    for child in _children:
        child.poll()
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def ending(pid: int) -> str:
    """How a process that this one started has ended; empty when that is not known."""
    for child in _children:
        if child.pid == pid and (status := child.poll()) is not None:
            return f"status {status}" if status >= 0 else signal.Signals(-status).name
    return ""


def paused(process: psutil.Process) -> bool:
    """Whether it was stopped by a signal."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_STOPPED)
    return False


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that descend from it."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def listens(process: psutil.Process, port: int | None) -> bool:
    """Whether a process or one that descends from it accepts connections on this port."""
    # Whose a port is takes a look at every process of the machine, which is too much for somebody
    # who waits; that nobody has it the kernel says at once.
    if port is None or not accepts(port):
        return False
    for one in family(process):
        with contextlib.suppress(psutil.Error):
            for connection in one.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those that still live."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def strays(home: Path, part: str | None = None) -> Iterator[psutil.Process]:
    """Processes that carry this home's mark, found without any pid file."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue
        mine = environment.get(HOME_MARK) == str(home)
        if mine and (part is None or environment.get(PART_MARK) == part):
            yield process


def await_end(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes to end; those that still live after that time are returned."""
    waiting = list(processes)
    awaited(lambda: not any(map(_lives, waiting)), seconds)
    return [process for process in waiting if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and alive(process.pid) is not None


def await_reaping(ended: Iterable[psutil.Process], seconds: float) -> None:
    """Wait until the kernel has forgotten ended processes: some inits are slow to ask for them."""
    waiting = {process.pid for process in ended}
    awaited(lambda: not any(map(psutil.pid_exists, waiting)), seconds)
