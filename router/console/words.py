"""How values are written on pages. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.fleet.move_words import bytes_words, eta_words, rows_words, states_words
from services.fleet.units import duration, size

NOTHING: Final = "–"
_ROLES: Final = {"primary": "ok", "replica": "ok", "down": "bad"}
_TONES: Final = {
    **_ROLES,
    **{"ready": "ok", "read_only": "bad", "away": "bad", "behind": "bad"},
    **{"outage": "bad", "warning": "warn", "note": "note"},
    **{"active": "ok", "draining": "warn", "inactive": "warn", "suspended": "bad"},
    **{"running": "busy", "paused": "warn", "finished": "ok", "stopped": "note"},
    **{"copying": "busy", "catching_up": "busy", "verifying": "busy", "fenced": "warn"},
    **{"switched": "ok", "swept": "ok", "aborted": "bad", "planned": "note"},
    **{"open": "ok", "importing": "busy", "gone": "bad"},
}


def _known(form: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: NOTHING if value is None else form(value)


def lag(seconds: float) -> str:
    """How far a replica is behind."""
    if seconds == 0:
        return "none"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration(seconds)


def percent(part: float) -> str:
    """A part of one, in percent."""
    return f"{part * 100:.1f} %"


def moment(value: datetime) -> str:
    """A time, in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def lsn(value: int) -> str:
    """A place in the WAL, as PostgreSQL writes it."""
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


def rate(value: float) -> str:
    """So many a second: with more digits the rarer it is."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 1 else f"{value:.3g}"


def tone(word: str) -> str:
    """How a state is coloured; the word itself always stands beside the colour."""
    return _TONES.get(word, "note")


def plain(word: str) -> str:
    """A name of the code as people write it."""
    return word.replace("_", " ")


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "size": _known(size),
    "duration": _known(duration),
    "lag": _known(lag),
    "percent": _known(percent),
    "moment": _known(moment),
    "lsn": _known(lsn),
    "rate": _known(rate),
    "count": _known("{:,}".format),
    "ms": _known("{:,.0f} ms".format),
    "tone": tone,
    "plain": plain,
    "eta": eta_words,
    "states": states_words,
    "rows": rows_words,
    "bytes": bytes_words,
}
