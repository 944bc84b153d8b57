"""How a process logs: made once at its edge, from its settings."""

from __future__ import annotations

import contextlib
import logging
import logging.config
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from services.log_settings import LogSettings
from services.logs.lines import JsonLines, Stream, TextLines
from services.logs.redaction import Redactor
from services.logs.requests import RequestLog

_FORMATTERS: Final = {"json": JsonLines, "text": TextLines}
# Chatter of libraries: a failing pool is told of by those who wait for it.
_QUIET: Final = {"botocore": "WARNING", "psycopg.pool": "ERROR", "httpx": "WARNING"}


def configuration(settings: LogSettings, redactor: Redactor) -> dict[str, Any]:
    """For `logging.config.dictConfig`, and for uvicorn, which hands it to its workers."""
    line = {"()": _FORMATTERS[format_of(settings)], "redactor": redactor}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {"stderr": {"()": Stream, "stream": "ext://sys.stderr", "formatter": "line"}},
        "root": {"level": settings.level, "handlers": ["stderr"]},
        "loggers": {name: {"level": level} for name, level in _QUIET.items()},
    }


def format_of(settings: LogSettings) -> str:
    """`json` or `text`."""
    if settings.format != "auto":
        return settings.format
    return "text" if sys.stderr.isatty() else "json"


def configure(settings: LogSettings, redactor: Redactor) -> None:
    """Let this process log so; what it dies of is a line like others."""
    logging.config.dictConfig(configuration(settings, redactor))
    logging.captureWarnings(capture=True)
    sys.excepthook = _last_words


def open_request_log(settings: LogSettings, redactor: Redactor) -> RequestLog:
    """The log of requests, in the same form: objects are written past `logging`."""
    as_json = format_of(settings) == "json"
    return RequestLog(settings, redactor, _write if as_json else None)


def _write(lines: bytes) -> None:
    # As `Stream` does: what cannot be written is lost, and no request with it.
    with contextlib.suppress(OSError):
        sys.stderr.buffer.write(lines)
        sys.stderr.buffer.flush()


def secrets_of(settings: BaseModel) -> list[str]:
    """Every secret in settings, and in what they hold."""
    return [*_secrets(dict(settings))]


def _secrets(value: Any) -> list[str]:
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    if isinstance(value, BaseModel):
        return _secrets(dict(value))
    if isinstance(value, Mapping):
        return [found for one in value.values() for found in _secrets(one)]
    if isinstance(value, (list, tuple)):
        return [found for one in value for found in _secrets(one)]
    return []


def _last_words(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("docshard").critical("the process ends", exc_info=(kind, error, trace))
