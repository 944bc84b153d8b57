"""A line for each request, made by hand: `logging` would cost more than all the rest of it.

What they say is gathered, and lines are made of it and written a few times a second: a request
leaves nothing of such code in the processor's caches, so that alone each line takes ten times as
long as one that is made behind another. What a process that is killed had not written yet is lost,
and what it failed at is written at once by `logging` anyway.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from services.log_settings import LogSettings
from services.logs.lines import FIELDS, moment
from services.logs.redaction import Redactor

LOGGER: Final = "docshard.requests"
_GATHER_SECONDS: Final = 0.2
_MOST_LINES: Final = 100
"""Of one writing: they keep requests waiting for half a millisecond."""
_LEVELS: Final = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}
_log = logging.getLogger(LOGGER)

Write = Callable[[bytes], object]
Describe = Callable[[], "Answered"]


class Answered(NamedTuple):
    """One request and its answer. `seconds` of ours went by until the answer's first byte; `status`
    is 0 when nobody waited for it. `own_id` says that we named the request, and not its caller.

    A tuple, since there is one for each line: a frozen dataclass takes three times as long to make.
    """

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
        self._gathered: list[tuple[float, Describe]] = []

    def wants(self, status: int, seconds: float) -> bool:
        """Whether such a request gets a line: asked before anything is put together."""
        if self._none:
            return False
        return self._all or status >= 500 or seconds > self._slow_seconds

    def tell(self, describe: Describe) -> None:
        """Write the line of a request that is over now; `describe` tells of it when it is made."""
        if self._write is None:
            level, fields = self._told(describe())
            _log.log(_LEVELS[level], "request", extra={FIELDS: fields})
            return
        if not self._gathered:
            asyncio.get_running_loop().call_later(_GATHER_SECONDS, self.flush)
        self._gathered.append((time.time(), describe))
        if len(self._gathered) == _MOST_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if self._write is not None and self._gathered:
            gathered, self._gathered = self._gathered, []
            self._write(b"".join([self._line(ended, describe()) for ended, describe in gathered]))

    def _line(self, ended: float, one: Answered) -> bytes:
        level, fields = self._told(one)
        line = {
            "time": moment(ended),
            "level": level,
            "logger": LOGGER,
            "process": os.getpid(),
            "message": "request",
            **fields,
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _told(self, one: Answered) -> tuple[str, dict[str, Any]]:
        """The line's level, and what it says."""
        slow = one.seconds > self._slow_seconds
        fields = self._fields(one)
        if slow:
            fields["slow"] = True
        return "error" if one.status >= 500 else "warning" if slow else "info", fields

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
        return fields
