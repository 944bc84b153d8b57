"""systemd's part on a host of namespaces: units are started as they say, started again, stopped.

systemd itself runs some units in `test_units`; these hosts need less of a machine. What a unit says
of its user, variables, folders, privileges and end is done as systemd documents it; the file system
is read-only but for the unit's folders.
"""

from __future__ import annotations

import contextlib
import resource
import shlex
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from uuid import uuid4

import psutil

from deploy.local.processes import await_end
from tests.acceptance.fleet import until
from tests.hosts.host import Host
from tests.hosts.unit_file import UnitFile, read_unit, read_variables

UNITS = "/etc/systemd/system"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MOUNTS = ("/", "/usr", "/etc", "/var")


@dataclass
class Service:
    """One unit of one host, that may run."""

    host: Host
    unit: UnitFile
    log: Path
    starts: int = 0
    _mark: str = field(default_factory=lambda: uuid4().hex)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None
    _main: psutil.Process | None = None

    def start(self) -> None:
        """Let it run, and run again whenever it ends, until it is stopped."""
        self._stopping.clear()
        before = self.starts
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        until(lambda: self.starts > before)

    def stop(self) -> float:
        """End it as its unit says; returns the seconds that it took."""
        self._stopping.set()
        main, seconds = self._main, float(self.unit.one("TimeoutStopSec"))
        members = self._members()
        asked = members if self.unit.one("KillMode") == "control-group" else [main]
        _each(filter(None, asked), "terminate")
        taken = until(lambda: main is None or not await_end([main], 0.05), seconds, 0)
        # Whatever has not ended by then is killed, whoever started it.
        _each(self._members(), "kill")
        self.join()
        return taken

    def leave(self) -> None:
        """Start it no more: its host goes."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until nobody looks after it any more."""
        if self._keeper is not None:
            self._keeper.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._run()
            self._stopping.wait(float(self.unit.one("RestartSec")))

    def _run(self) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.host.entering(self._words()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._variables(),
                start_new_session=True,
            )
        with contextlib.suppress(psutil.Error):
            until(lambda: psutil.Process(process.pid).children() or process.poll() is not None)
            self._main = next(iter(psutil.Process(process.pid).children()), None)
        self.starts += 1
        process.wait()

    def _words(self) -> list[str]:
        """A shell in a mount namespace of its own, which becomes the program."""
        unit, user = self.unit, self.unit.one("User")
        writes = [*unit.words("ReadWritePaths"), *self._made_below_run()]
        script = [
            # In this order: what may be written keeps its own mount, everything else loses it.
            *(f"mount --bind {path} {path}" for path in writes),
            "mount -t tmpfs -o mode=1777 tmp /tmp",
            *(f"mount -o remount,bind,ro {path}" for path in _MOUNTS),
            f"umask {unit.one('UMask')}",
            f"exec prlimit --nofile={self._open_files()} setpriv --reuid={user} --regid={user}"
            " --init-groups --no-new-privs --bounding-set=-all --inh-caps=-all"
            f" {shlex.join(unit.command)}",
        ]
        return ["unshare", "--mount", "/bin/sh", "-ec", "\n".join(script)]

    def _open_files(self) -> int:
        """As many as the unit says, where this machine lets root have so many."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = int(self.unit.one("LimitNOFILE"))
        return wanted if most == resource.RLIM_INFINITY else min(wanted, most)

    def _variables(self) -> dict[str, str]:
        user = self.unit.one("User")
        found = {"PATH": _PATH, "USER": user, "LOGNAME": user, "INVOCATION_ID": self._mark}
        for path in self.unit.words("EnvironmentFile"):
            found |= read_variables(self.host.path(path).read_text())
        return found

    def _made_below_run(self) -> list[str]:
        """Folders that systemd makes, for the unit's user."""
        user = self.unit.one("User")
        paths = [str(PurePosixPath("/run", name)) for name in self.unit.words("RuntimeDirectory")]
        for path in paths:
            self.host.run("install", "-d", "-o", user, "-g", user, path)
            self.host.run("chmod", self.unit.one("RuntimeDirectoryMode"), path)
        return paths

    def _members(self) -> list[psutil.Process]:
        """All that it has started, by the mark that systemd gives them, too."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("INVOCATION_ID") == self._mark:
                    found.append(process)
        return found


def installed(host: Host, name: str, logs: Path) -> Service:
    """The service of a unit that stands on the host."""
    unit = read_unit(host.path(f"{UNITS}/{name}.service"))
    return Service(host, unit, logs / f"{host.number}-{name}.log")


def _each(processes: Iterable[psutil.Process], what: str) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            getattr(process, what)()
