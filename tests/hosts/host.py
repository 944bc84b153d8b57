"""A host that is made of namespaces: own addresses, processes, /etc, /var and /run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.acceptance.fleet import until
from tests.hosts import boot
from tests.hosts.network import Network


@dataclass(frozen=True)
class Host:
    """A host that runs. `first` is its process 1, as this machine numbers it."""

    number: int
    address: str
    first: int

    def path(self, path: str) -> Path:
        """Where a file of the host is found from here."""
        return Path(f"/proc/{self.first}/root{path}")

    def write(self, path: str, text: str) -> None:
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def entering(self, words: Sequence[str]) -> list[str]:
        """A command line that runs these words on the host, as root."""
        return ["nsenter", f"--target={self.first}", "--all", "--root", "--wd", *words]

    def run(
        self, *words: str, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there to its end."""
        done = subprocess.run(
            self.entering(words),
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(environment or {})},
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done


@contextmanager
def running(network: Network, number: int, root: Path, binds: Mapping[str, str]) -> Iterator[Host]:
    """A host for the length of the block; all that it runs ends with it."""
    network.join(number)
    with _unshared(network, number, root, (), (str(root), json.dumps(dict(binds)))) as host:
        yield host


@contextmanager
def booted(network: Network, number: int, root: Path, binds: Mapping[str, str]) -> Iterator[Host]:
    """The same, whose first process is systemd, in a cgroup of its own."""
    network.join(number)
    words = (str(root), json.dumps(dict(binds)), "systemd")
    with _cgroup(network.namespace(number)) as folder:
        into = ("/bin/sh", "-c", f'echo $$ > {folder}/cgroup.procs && exec "$@"', "sh")
        with _unshared(network, number, root, into, words) as host:
            yield host


@contextmanager
def _cgroup(name: str) -> Iterator[Path]:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    folder = Path(next(place for _, place, kind, *_ in mounts if kind == "cgroup2"), name)
    folder.mkdir()
    try:
        yield folder
    finally:
        until(lambda: "populated 0" in (folder / "cgroup.events").read_text())
        for inner in sorted(folder.rglob("*/"), reverse=True):
            if inner.is_dir():
                inner.rmdir()
        folder.rmdir()


@contextmanager
def _unshared(
    network: Network, number: int, root: Path, into: Sequence[str], words: Sequence[str]
) -> Iterator[Host]:
    root.mkdir()
    cgroup = ("--cgroup",) if into else ()
    process = subprocess.Popen(
        [
            # If whoever runs the tests is killed, the host goes, too.
            *(*into, "setpriv", "--pdeathsig", "KILL"),
            *("nsenter", f"--net=/run/netns/{network.namespace(number)}"),
            *("unshare", "--mount", "--uts", "--ipc", "--pid", *cgroup, "--fork", "--kill-child"),
            *(sys.executable, "-P", str(boot.__file__), *words),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (first,) = psutil.Process(process.pid).children()
        yield Host(number, network.address(number), first.pid)
    finally:
        process.kill()  # and with it process 1, and with that all others of the host
        process.wait()
        until(lambda: not _mounted(root))
        root.rmdir()


def _mounted(root: Path) -> bool:
    return any(root.iterdir())
