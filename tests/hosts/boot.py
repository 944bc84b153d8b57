"""What runs first on a host that is made of namespaces: lays its file system out, then reaps.

`python boot.py ROOT BINDS`, as process 1 of new mount, process and network namespaces. The host
sees this machine's programs, has /etc, /var, /run and /opt of its own, and besides what `BINDS`
(JSON: path on the host -> path here) puts there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def lay_out(root: Path, binds: dict[str, str]) -> None:
    mount("-t", "tmpfs", "-o", "size=4g,mode=755", "host", str(root))
    for name in ("usr", "etc"):
        overlay(root, name)
    for name in ("bin", "sbin", "lib", "lib64"):
        if (here := Path("/", name)).is_symlink():
            (root / name).symlink_to(here.readlink())
    # A file system of its own each, as hosts have; data there is not safe from a loss of power.
    for name in ("opt", "run", "tmp", "var", "dev", "proc"):
        (root / name).mkdir()
    mount("-t", "tmpfs", "-o", "size=4g,mode=755", "var", str(root / "var"))
    (root / "var" / "lib").mkdir()
    (root / "tmp").chmod(0o1777)
    mount("--bind", "/dev", str(root / "dev"))
    mount("-t", "tmpfs", "shm", str(root / "dev" / "shm"))
    mount("-t", "proc", "proc", str(root / "proc"))
    for there, here_path in binds.items():
        bind(root / there.lstrip("/"), Path(here_path))


def overlay(root: Path, name: str) -> None:
    """What the host writes there stays with it."""
    upper, work = (root / f".{name}" / kind for kind in ("upper", "work"))
    for folder in (upper, work, root / name):
        folder.mkdir(parents=True)
    options = f"lowerdir=/{name},upperdir={upper},workdir={work}"
    mount("-t", "overlay", "-o", options, "overlay", str(root / name))


def bind(there: Path, here: Path) -> None:
    if here.is_dir():
        there.mkdir(parents=True, exist_ok=True)
    else:
        there.parent.mkdir(parents=True, exist_ok=True)
        there.touch()
    mount("--bind", str(here), str(there))


def reap() -> None:
    """Ask for every process that has lost its parent, as any init does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.sigwait({signal.SIGCHLD})


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]), json.loads(sys.argv[2]))
    os.chroot(sys.argv[1])
    os.chdir("/")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    reap()
