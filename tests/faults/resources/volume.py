"""A small file system of a test's own, and a server that keeps its data or its log there.

It is a tmpfs in a mount namespace that nobody else sees and that ends with the process that holds
it: nothing is mounted on the machine, and nothing stays. It needs no root: a user namespace lends
what mounting takes. Where the kernel lends none (a container may forbid it, as Docker does unless
it runs with `--security-opt seccomp=unconfined --cap-add SYS_ADMIN`), the tests fail and say so.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.local import ports, processes
from tests.acceptance.fleet import until
from tests.integration.postgres import (
    ENVIRONMENT,
    SETTINGS,
    TEMPLATES,
    Postgres,
    Site,
    await_start,
)

MIB = 1024**2
_LENT = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private", "--"]


@dataclass(frozen=True)
class Volume:
    """A mounted tmpfs. `folder` is its path for those inside the namespace."""

    folder: Path
    holder: psutil.Process
    user: str | None
    """Who owns the namespace; None: whoever runs the tests."""

    def fill(self) -> None:
        """Take all the room that is left, whatever others write meanwhile."""
        ballast = self.folder / "ballast"
        self.run("/bin/sh", "-c", f"cat /dev/zero > {ballast} 2> /dev/null; test -s {ballast}")

    def free(self) -> None:
        """Give the room back."""
        self.run("/bin/rm", str(self.folder / "ballast"))

    def run(self, *arguments: str) -> None:
        """Run a program in the namespace, to its end."""
        processes.run_tool(self.inside(list(arguments)), self.user, ENVIRONMENT)

    def inside(self, arguments: list[str]) -> list[str]:
        """The command in the namespace, under the caller's own number: PostgreSQL refuses 0."""
        enter = ["nsenter", f"--target={self.holder.pid}", "--user", "--mount"]
        user, group = self.holder.uids().real, self.holder.gids().real
        lent = ["unshare", "--user", f"--map-user={user}", f"--map-group={group}"]
        return [*enter, "--preserve-credentials", "--", *lent, "--", *arguments]


@contextmanager
def volume(site: Site, name: str, size: int) -> Iterator[Volume]:
    """A file system of `size` bytes for the length of the block."""
    folder = site.folder / name
    folder.mkdir()
    mount = f"mount -t tmpfs -o size={size},mode=0777 docshard {folder} && exec sleep infinity"
    command = processes.Command(
        arguments=[*_LENT, "sh", "-c", mount],
        folder=Path("/"),
        log=site.folder / f"{name}.log",
        user=site.engines.user,
        environment=ENVIRONMENT,
    )
    holder = processes.spawn(command, {})
    try:
        made = Volume(folder, holder, site.engines.user)
        until(lambda: _mounted(made, command.log))
        yield made
    finally:
        processes.send([holder], signal.SIGKILL)
        processes.await_end([holder], 10)


def _mounted(made: Volume, log: Path) -> bool:
    if processes.alive(made.holder.pid) is None:
        raise RuntimeError(f"no file system of our own may be mounted here: {log.read_text()}")
    return made.holder.name() == "sleep"


class Lone(Postgres):
    """A server of one test. Its databases go when it goes: dropping one makes a checkpoint, and a
    server whose volume is full of its own log dies of that."""

    def _drop(self, name: str) -> None:
        """Leave it."""


@dataclass
class SmallServer:
    """A PostgreSQL server of which a part lies on a small volume."""

    site: Site
    volume: Volume
    data: Path
    """As those inside see it."""
    server: Postgres
    _running: list[psutil.Process] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether it runs: one that cannot write its log ends itself."""
        return any(processes.alive(one.pid) is not None for one in self._running)

    def processes(self) -> list[psutil.Process]:
        """All of it that runs."""
        return [one for started in self._running for one in processes.family(started)]

    def start(self) -> None:
        """Start it, as an init system does after every end."""
        # On the volume it would be one more thing that has no room.
        chosen = SETTINGS | {"dynamic_shared_memory_type": "posix"}
        settings = [f"-c{key}={value}" for key, value in chosen.items()]
        postgres = [self.site.engines.postgres_program("postgres"), "-D", str(self.data)]
        command = processes.Command(
            arguments=self.volume.inside([*postgres, f"-p{self.server.port}", *settings]),
            folder=Path("/"),
            log=self.site.folder / f"{self.volume.folder.name}-server.log",
            user=self.volume.user,
            environment=ENVIRONMENT,
        )
        process = processes.spawn(command, {})
        self._running = [process]
        await_start(self.server, process, command.log)

    def end(self) -> None:
        """End it at once."""
        for process in self._running:
            family = processes.family(process)
            processes.send([process], signal.SIGQUIT)
            processes.send(processes.await_end(family, 10), signal.SIGKILL)


@contextmanager
def small_server(site: Site, volume: Volume, *, only_log: bool) -> Iterator[SmallServer]:
    """A server with a shard's template: its data on the volume, or its write-ahead log alone."""
    roomy = site.folder / f"{volume.folder.name}-roomy"
    data = (roomy if only_log else volume.folder) / "data"
    log = (volume.folder if only_log else roomy) / "wal"
    small = SmallServer(site, volume, data, Lone(ports.free(), site.password))
    volume.run("/bin/mkdir", str(roomy))
    volume.run("/bin/cp", "-a", str(site.template), str(data))
    volume.run("/bin/mv", str(data / "pg_wal"), str(log))
    volume.run("/bin/ln", "-s", str(log), str(data / "pg_wal"))
    try:
        small.start()
        small.server.prepare("template_shard")
        small.server.migrate("template_shard", TEMPLATES["template_shard"])
        yield small
    finally:
        small.end()
