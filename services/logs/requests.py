"""A line for each request, made by hand: `logging` would cost more than all the rest of it.

Objects are made of several requests, one behind the other, and written together. What a process
that is killed had not written yet is lost, and what it failed at is written at once by `logging`
anyway.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from services.log_settings import LogSettings
from services.logs.lines import FIELDS, moment
from services.logs.redaction import Redactor

LOGGER: Final = "docshard.requests"
_LEVELS: Final = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}
_HEAD: Final = frozenset({"time", "level", "logger", "process", "message"})
"""What every line has, whoever writes it."""
_LINE: Final = orjson.OPT_APPEND_NEWLINE
_log = logging.getLogger(LOGGER)

Write = Callable[[bytes], object]


class Answered(NamedTuple):
    """One request and its answer. `seconds` of ours went by until the answer's first byte; `status`
    is 0 when nobody waited for it. `own_id` says that we named the request, and not its caller.
    `ended`: of the epoch.

    A tuple, since there is one for each line: a frozen dataclass takes three times as long to make.
    """

    ended: float
    request_id: str
    own_id: bool
    route: str
    method: str
    status: int
    seconds: float
    client_id: UUID | None
    shard: str | None
    problem: str | None
    server_timing: bytes


class RequestLog:
    """Decides which requests get a line, and writes it: to `write`, or by `logging` without one."""

    def __init__(self, settings: LogSettings, redactor: Redactor, write: Write | None) -> None:
        self._all = settings.requests == "all"
        self._none = settings.requests == "none"
        self._slow_seconds = settings.slow_seconds
        self._redactor = redactor
        self._write = write

    @property
    def waits(self) -> bool:
        """Whether lines may be told later and together: `logging` gives each its own time."""
        return self._write is not None

    def tell(self, requests: Iterable[Answered]) -> None:
        """Write the lines of those that get one."""
        wanted = [] if self._none else [one for one in requests if self._all or self._bad(one)]
        if self._write is not None and wanted:
            lines = [orjson.dumps(self._told(one), option=_LINE) for one in wanted]
            self._write(b"".join(lines))
        elif self._write is None:
            for one in wanted:
                told = self._told(one)
                fields = {name: value for name, value in told.items() if name not in _HEAD}
                _log.log(_LEVELS[told["level"]], "request", extra={FIELDS: fields})

    def _bad(self, one: Answered) -> bool:
        return one.status >= 500 or one.seconds > self._slow_seconds

    def _told(self, one: Answered) -> dict[str, Any]:
        # Taken apart and put together at once: it is the dearest part of looking at a request.
        (ended, request_id, own_id, route, method, status, seconds) = one[:7]
        (client_id, shard, problem, server_timing) = one[7:]
        slow = seconds > self._slow_seconds
        told = {
            "time": moment(ended),
            "level": "error" if status >= 500 else "warning" if slow else "info",
            "logger": LOGGER,
            "process": os.getpid(),
            "message": "request",
            # All else is of our own making: names of routes and shards, numbers, ids.
            "request_id": request_id if own_id else self._redactor.clean(request_id),
            "client_id": client_id,
            "shard": shard,
            "route": route,
            "method": method,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
            "server_timing": server_timing.decode("ascii"),
        }
        if problem is not None:
            told["code"] = problem
        if slow:
            told["slow"] = True
        return told
