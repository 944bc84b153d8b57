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
    server_timing: str


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
        if self._write is None:
            for one in wanted:
                _log.log(_LEVELS[self._level(one)], "request", extra={FIELDS: self._fields(one)})
        elif wanted:
            process = os.getpid()
            self._write(b"".join([self._line(one, process) for one in wanted]))

    def _bad(self, one: Answered) -> bool:
        return one.status >= 500 or one.seconds > self._slow_seconds

    def _level(self, one: Answered) -> str:
        if one.status >= 500:
            return "error"
        return "warning" if one.seconds > self._slow_seconds else "info"

    def _line(self, one: Answered, process: int) -> bytes:
        line = {
            "time": moment(one.ended),
            "level": self._level(one),
            "logger": LOGGER,
            "process": process,
            "message": "request",
            **self._fields(one),
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _fields(self, one: Answered) -> dict[str, Any]:
        # All else is of our own making: names of routes and shards, numbers, ids.
        request_id = one.request_id if one.own_id else self._redactor.clean(one.request_id)
        fields: dict[str, Any] = {
            "request_id": request_id,
            "client_id": one.client_id,
            "shard": one.shard,
            "route": one.route,
            "method": one.method,
            "status": one.status,
            "duration_ms": round(one.seconds * 1000, 2),
            "server_timing": one.server_timing,
        }
        if one.problem is not None:
            fields["code"] = one.problem
        if one.seconds > self._slow_seconds:
            fields["slow"] = True
        return fields
