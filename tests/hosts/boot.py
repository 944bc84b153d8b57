"""What runs first on a host that is made of namespaces: lays its file system out, then reaps.

`python boot.py ROOT BINDS [systemd]`, as process 1 of new mount, process and network namespaces.
The host sees this machine's programs, has /etc, /var, /run and /opt of its own, and besides what
`BINDS` (JSON: path on the host -> path here) puts there. With the third word it becomes systemd,
which wants a cgroup namespace, too.
"""

from __future__ import annotations

import json
import os
import signal
import stat
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


def lay_out_for_systemd(root: Path) -> None:
    """Devices, kernel and cgroups of its own: systemd makes others of them for each unit."""
    mount("-t", "tmpfs", "-o", "mode=755", "dev", str(root / "dev"))
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        device = root / "dev" / name
        os.mknod(device, stat.S_IFCHR, Path("/dev", name).stat().st_rdev)
        device.chmod(0o666)
    for name, kind in (("shm", "tmpfs"), ("pts", "devpts")):
        (root / "dev" / name).mkdir()
        mount("-t", kind, name, str(root / "dev" / name))
    (root / "dev" / "ptmx").symlink_to("pts/ptmx")
    (root / "dev" / "console").touch()
    (root / "sys").mkdir()
    mount("-t", "sysfs", "-o", "ro", "sysfs", str(root / "sys"))
    mount("-t", "cgroup2", "cgroup2", str(root / "sys/fs/cgroup"))
    mount("-t", "tmpfs", "-o", "mode=755", "run", str(root / "run"))
    # Written, so that nobody asks for a name at the first boot.
    (root / "etc" / "machine-id").write_text(f"{os.urandom(16).hex()}\n")


def become_systemd(root: Path) -> None:
    """Not by chroot: whose root is not the mount's may make no units' file systems."""
    (root / ".old").mkdir()
    os.chdir(root)
    subprocess.run(["pivot_root", ".", ".old"], check=True)
    os.chdir("/")
    subprocess.run(["umount", "--lazy", "/.old"], check=True)
    tell_ready()
    words = ["systemd", "--system", "--unit=basic.target"]
    os.execve("/lib/systemd/systemd", words, {"container": "docshard"})  # noqa: S606 - no shell is wanted


def tell_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    lay_out(place, json.loads(sys.argv[2]))
    if sys.argv[3:] == ["systemd"]:
        lay_out_for_systemd(place)
        become_systemd(place)
    os.chroot(place)
    os.chdir("/")
    tell_ready()
    reap()
