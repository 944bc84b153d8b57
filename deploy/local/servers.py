"""What every part of the fleet can do: start, stop, be killed, paused and resumed."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import psutil

from deploy.errors import NotFound, OperatorError
from deploy.local import processes
from deploy.local.engines import Engines, find_engines
from deploy.local.home import Home, State
from deploy.local.secrets import Secrets
from deploy.local.waiting import awaited


@dataclass(frozen=True)
class Site:
    """Everything that starting a part needs to know of this machine and this home."""

    home: Home
    state: State
    secrets: Secrets

    @cached_property
    def engines(self) -> Engines:
        """The programs, looked for when first needed: stopping needs none."""
        return find_engines(self.state.postgres, self.state.data)

    def data(self, name: str) -> Path:
        """The folder that belongs to one part."""
        return self.state.data / name


class Server(ABC):
    """A part of the fleet that runs as a background process on this machine."""

    kind: ClassVar[str]
    start_seconds = 30.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_seconds: ClassVar[float] = 5.0

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name

    @property
    @abstractmethod
    def port(self) -> int | None:
        """Where it listens, None when it does not."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the files it needs; safe to repeat."""

    @abstractmethod
    def command(self) -> processes.Command:
        """The program that runs it."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it serves."""

    def fingerprint(self) -> str:
        """Changes when the process should be restarted for new code or configuration."""
        return ""

    def role(self) -> str:
        """What it is at present, in one word."""
        return self.kind

    @property
    def pidfile(self) -> Path:
        """Where its process is written down."""
        return self.site.home.run / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """Its output."""
        return self.site.home.logs / f"{self.name}.log"

    def process(self) -> psutil.Process | None:
        """Its living process."""
        return processes.find(self.pidfile)

    def outdated(self) -> bool:
        """Whether it lives but was started from other code or configuration."""
        recorded = processes.read_record(self.pidfile)
        return recorded is not None and recorded.fingerprint != self.fingerprint()

    def serves(self) -> bool:
        """Whether it lives, is not frozen, and is ready."""
        process = self.process()
        return process is not None and not processes.paused(process) and self.ready()

    def listens(self) -> bool:
        """Whether this very process, or a child of it, listens on its port: another fleet's may."""
        process = self.process()
        return process is not None and processes.listens(process, self.port)

    def start(self) -> None:
        """Start it and wait until it serves. A living one is left alone, a paused one resumed.

        Raises:
            OperatorError: it ended at once or does not serve in time; its log's end is told.
        """
        process = self.process()
        if process is None:
            self.pidfile.unlink(missing_ok=True)
            self._end(self._strays(), signal.SIGKILL, seconds=5)
            self.prepare()
            process = processes.spawn(self.command(), self._mark())
            processes.record(self.pidfile, process, self.fingerprint())
        elif processes.paused(process):
            self.resume()
        self._await_ready(process)

    def stop(self) -> None:
        """End it, politely at first. One that does not run is fine."""
        family = self.family()
        processes.send(family, signal.SIGCONT)
        processes.send(family[:1], self.stop_signal)
        self._end(processes.await_end(family, self.stop_seconds), signal.SIGKILL, seconds=5)
        self.pidfile.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it and its children at once, as a power cut does.

        Raises:
            NotFound: it does not run.
        """
        self._living()
        self._end(self.family(), signal.SIGKILL, seconds=5)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers.

        Raises:
            NotFound: it does not run.
        """
        self._living()
        processes.send(self.family(), signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on.

        Raises:
            NotFound: it does not run.
        """
        self._living()
        # The parent last: it would take children for stuck that are only still frozen.
        processes.send(reversed(self.family()), signal.SIGCONT)

    def family(self) -> list[psutil.Process]:
        """Its process and those that carry its mark without being children, all with children.

        Children alone would miss the server that Patroni lets go of, marks alone that server's own
        children: PostgreSQL writes its titles over their environment.
        """
        process = self.process()
        heads = [process, *self._strays()] if process else self._strays()
        found = [member for head in heads for member in processes.family(head)]
        return list(dict.fromkeys(found))

    def _living(self) -> psutil.Process:
        process = self.process()
        if process is None:
            raise NotFound(
                f"{self.name} does not run.", "", f"`docshard start {self.name}` starts it."
            )
        return process

    def _mark(self) -> dict[str, str]:
        return {processes.HOME_MARK: str(self.site.home.path), processes.PART_MARK: self.name}

    def _strays(self) -> list[psutil.Process]:
        return list(processes.strays(self.site.home.path, self.name))

    def _end(self, family: list[psutil.Process], number: signal.Signals, seconds: float) -> None:
        processes.send(family, number)
        left = processes.await_end(family, seconds)
        if left:
            raise OperatorError(
                f"{self.name} (pid {left[0].pid}) does not end.",
                "It is stuck in the kernel, or belongs to another user.",
                f"End it by hand: kill -9 {left[0].pid}",
            )

    def _await_ready(self, process: psutil.Process) -> None:
        def ended() -> bool:
            return processes.alive(process.pid) is None

        if not awaited(lambda: self.ready() or ended(), self.start_seconds):
            raise self._failed(f"does not serve after {self.start_seconds:.0f} s")
        if ended():
            how = processes.ending(process.pid)
            raise self._failed(f"ended while starting ({how})" if how else "ended while starting")

    def _failed(self, how: str) -> OperatorError:
        try:
            words = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        except FileNotFoundError:
            words = []
        return OperatorError(f"{self.name} {how}.", "\n".join(words), f"The whole log: {self.log}")
