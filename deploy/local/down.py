"""Stops a local fleet fast, and deletes it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from deploy.errors import OperatorError, Refused
from deploy.local import processes
from deploy.local.checklist import Checklist
from deploy.local.home import Home
from deploy.local.parts import Parts, existing_parts
from deploy.local.servers import Server


def take_down(home: Home, checklist: Checklist) -> int:
    """Stop every part and whatever else carries this home's mark. Returns how many ran.

    Raises:
        NotFound: there is no fleet.
        OperatorError: a process does not end.
    """
    parts = existing_parts(home)
    running = _running(parts)
    ended = [process for part in running for process in part.family()]
    # Requests end before the databases under them do.
    stop_all((part for part in parts.applications if part in running), checklist)
    stop_all((part for part in parts.engines if part in running), checklist)
    # Patroni gives up its leadership in etcd when it ends.
    stop_all((part for part in parts.etcd if part in running), checklist)
    left = end_strays(home)
    processes.await_reaping(ended, seconds=3)
    for pidfile in home.run.glob("*.json"):
        pidfile.unlink()
    return len(running) + left


def end_departed(parts: Parts, checklist: Checklist) -> None:
    """End what runs and is no part of the fleet any more, such as the second store of one whose
    backups have ended.

    Raises:
        OperatorError: a process does not end.
    """
    home, names = parts.site.home, {part.name for part in parts.all}
    for pidfile in home.run.glob("*.json"):
        if pidfile.stem in names:
            continue
        process = processes.find(pidfile)
        if process is not None:
            with checklist.part(f"stop {pidfile.stem}"):
                family = processes.family(process)
                processes.send(family, signal.SIGKILL)
                if left := processes.await_end(family, seconds=5):
                    raise OperatorError(f"{pidfile.stem} (pid {left[0].pid}) does not end.")
        pidfile.unlink(missing_ok=True)


def end_strays(home: Home) -> int:
    """End what carries this home's mark, though no file knows it. Returns how many there were."""
    strays = list(processes.strays(home.path))
    processes.send(strays, signal.SIGKILL)
    processes.await_end(strays, seconds=5)
    return len(strays)


def delete(home: Home, checklist: Checklist) -> None:
    """Stop the fleet and delete all that it has, data outside of the home as well.

    Raises:
        Refused: the folder is no home of a fleet.
    """
    if not home.path.exists():
        return
    if not home.fleet_file.exists():
        raise Refused(
            f"{home.path} is not the home of a fleet: it has no {home.fleet_file.name}.",
            "Nothing was deleted.",
            "Delete the folder by hand if it is what you mean.",
        )
    take_down(home, checklist)
    shutil.rmtree(home.require().data, ignore_errors=True)
    shutil.rmtree(home.path)


def _running(parts: Parts) -> list[Server]:
    return [part for part in parts.all if part.process() is not None]


def stop_all(servers: Iterable[Server], checklist: Checklist) -> None:
    """Stop servers side by side."""

    def stop(server: Server) -> None:
        with checklist.part(f"stop {server.name}"):
            server.stop()

    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(stop, servers))
