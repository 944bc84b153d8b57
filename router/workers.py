"""The worker processes: forked from one that has loaded the application.

uvicorn starts each worker as a new interpreter, which imports everything anew: more than a second,
and memory of its own. A forked one is there at once and shares what was loaded before. Nothing of
the application is open then, and there is one thread: connections are made when a worker starts.

The watch over the workers is uvicorn's, and so are its signals: SIGHUP asks for fresh workers, one
after the other, SIGTTIN for one more and SIGTTOU for one less. New code needs a new router.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import signal
import sys
from collections.abc import Sequence
from socket import socket
from typing import Any, cast

from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import SIGNALS, Multiprocess, Process

_log = logging.getLogger(__name__)
_START_SECONDS = 30.0  # for a busy machine
_FORKING = multiprocessing.get_context("fork")


def serve(config: Config) -> None:
    """Load the application and serve it until a signal says to stop."""
    _load(config)
    if config.workers > 1:
        Workers(config, [config.bind_socket()]).run()
        return
    server = Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _load(config: Config) -> None:
    """Import and build everything. What that makes stays: nothing is gained by looking for garbage
    in it, now (a sixth of the time) or ever, and looking would copy pages that workers share."""
    gc.disable()
    config.load()
    gc.freeze()
    gc.enable()


class Workers(Multiprocess):
    """Keeps as many workers as `config` says, one in the place of each that ended."""

    def init_processes(self) -> None:
        """Start all."""
        self.processes = [self._started() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Put a new one in the place of each that ended or does not answer; end when one could not
        start, since no other could either."""
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if worker.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:
                _log.error("worker %s could not start, so the router ends", worker.pid)
                self.should_exit.set()
                return
            _log.warning("worker %s has ended; another takes its place", worker.pid)
            self.processes[place] = self._started()

    def restart_all(self) -> None:
        """Put a new one in the place of each, once it serves; give up when one does not."""
        for place, worker in enumerate(self.processes):
            fresh = self._started()
            if not fresh.wait_until_ready(_START_SECONDS, self.should_exit):
                fresh.kill()
                fresh.join()
                return
            worker.terminate()
            worker.join()
            self.processes[place] = fresh

    def handle_ttin(self) -> None:
        """One more."""
        self.processes_num += 1
        self.processes.append(self._started())

    def _started(self) -> Process:
        worker = _Forked(self.config, self.sockets)
        # A signal that comes before the worker has handlers of its own must not meet ours, which
        # it inherits: it would be noted and never looked at.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            worker.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return worker


class _Forked(Process):
    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        forked = _FORKING.Process(target=_work, args=(self, sockets))
        # All processes of multiprocessing have one interface; uvicorn names the kind it makes.
        self.process = cast(Any, forked)


def _work(worker: Process, sockets: Sequence[socket]) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    with contextlib.suppress(KeyboardInterrupt):
        worker.target(list(sockets))
