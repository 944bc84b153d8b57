"""A record as a line: an object for machines, words for people."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, Any, Final

import orjson

from services.logs.about import spoken_of
from services.logs.redaction import Redactor

FIELDS: Final = "fields"
"""What a record has of its own, as `extra={FIELDS: {…}}`: members of the object."""


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, process, message; request and tenant where one is
    spoken of; `exception` with the traceback."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "time": moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": self._redactor.clean(record.getMessage()),
            **_about(),
            **cleaned(self._redactor, getattr(record, FIELDS, {})),
        }
        if trace := _trace(self, record):
            line["exception"] = self._redactor.clean(trace)
        return orjson.dumps(line, default=str).decode()


class TextLines(logging.Formatter):
    """Words for people: when, how bad, who, what; the request behind it."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end; a traceback follows below."""
        when = datetime.fromtimestamp(record.created).astimezone()
        told = f"{when:%H:%M:%S}.{int(record.msecs):03d} {record.levelname:7} {record.name}: "
        told += record.getMessage()
        more = {**_about(), **getattr(record, FIELDS, {})}
        told += "".join(f" {name}={value}" for name, value in more.items() if value is not None)
        trace = _trace(self, record)
        return self._redactor.clean(f"{told}\n{trace}" if trace else told)


class Stream(logging.StreamHandler[IO[str]]):
    """Writes to stderr. A record that cannot be formatted is told of by its place alone: the
    library would print its arguments as they are. One that cannot be written is lost."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Say that a line could not be made."""
        kind = sys.exc_info()[0]
        why = kind.__name__ if kind else "an error"
        told = f"a line of {record.pathname}:{record.lineno} could not be made: {why}\n"
        # Its disk is full, or nobody reads it: whoever had something to say goes on without.
        with contextlib.suppress(OSError):
            self.stream.write(told)


def moment(seconds: float) -> str:
    """A moment as lines have it: RFC 3339 in UTC, with milliseconds."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(whole: int) -> str:
    """Most lines are of the second of the line before."""
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}"


def cleaned(redactor: Redactor, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, texts among them without secrets."""
    return {
        name: redactor.clean(value) if isinstance(value, str) else value
        for name, value in fields.items()
    }


def _about() -> dict[str, str]:
    about = spoken_of()
    if about is None:
        return {}
    known = {"request_id": about.request_id, "client_id": about.client_id}
    return {name: str(value) for name, value in known.items() if value is not None}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)
