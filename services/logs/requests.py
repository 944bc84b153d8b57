"""A line for each request, made by hand: `logging` would cost more than all the rest of it.

Lines are gathered and written a few times a second; what a process that is killed had not written
yet is lost, and what it failed at is written at once by `logging` anyway.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from services.log_settings import LogSettings
from services.logs.lines import FIELDS, moment
from services.logs.redaction import Redactor

LOGGER: Final = "docshard.requests"
_GATHER_SECONDS: Final = 0.2
_MOST_BYTES: Final = 64 * 1024
_log = logging.getLogger(LOGGER)

Write = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Answered:
    """One request and its answer. `seconds` of ours went by until the answer's first byte; `status`
    is 0 when nobody waited for it. `own_id` says that we named the request, and not its caller."""

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
        self._gathered: list[bytes] = []
        self._bytes = 0

    def wants(self, status: int, seconds: float) -> bool:
        """Whether such a request gets a line: asked before anything is put together."""
        if self._none:
            return False
        return self._all or status >= 500 or seconds > self._slow_seconds

    def tell(self, one: Answered) -> None:
        """Write the line of one request."""
        slow = one.seconds > self._slow_seconds
        level = "ERROR" if one.status >= 500 else "WARNING" if slow else "INFO"
        fields = self._fields(one)
        if slow:
            fields["slow"] = True
        if self._write is None:
            number = logging.getLevelNamesMapping()[level]
            _log.log(number, "request", extra={FIELDS: fields})
            return
        head = {"time": moment(time.time()), "level": level.lower(), "logger": LOGGER}
        line = {**head, "process": os.getpid(), "message": "request", **fields}
        self._gather(orjson.dumps(line) + b"\n")

    def flush(self) -> None:
        """Write what was gathered."""
        if self._write is not None and self._gathered:
            gathered, self._gathered, self._bytes = self._gathered, [], 0
            self._write(b"".join(gathered))

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

    def _gather(self, line: bytes) -> None:
        if not self._gathered:
            asyncio.get_running_loop().call_later(_GATHER_SECONDS, self.flush)
        self._gathered.append(line)
        self._bytes += len(line)
        if self._bytes > _MOST_BYTES:
            self.flush()
