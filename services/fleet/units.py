"""Figures for people: bytes with their unit, times as ranges that admit what nobody knows."""

from __future__ import annotations

from services.fleet.planning import Span

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def size(number: float) -> str:
    """Bytes in the unit in which they are less than 1024."""
    power = 0
    while number >= 1024 and power < len(_UNITS) - 1:
        number, power = number / 1024, power + 1
    return f"{number:.{1 if power else 0}f} {_UNITS[power]}"


def duration(seconds: float) -> str:
    """Seconds, minutes, hours or days: what leaves few digits."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def duration_span(span: Span) -> str:
    """From the shortest to the longest; without an end when nobody can tell it."""
    if span.high is None:
        return f"{duration(span.low)} at least; nobody can tell how long"
    if not span.high:
        return "nothing to wait for"
    return f"{duration(span.low)} to {duration(span.high)}, likely {duration(span.likely)}"


def milliseconds_span(span: Span) -> str:
    """As `duration_span`, of milliseconds."""
    if span.high is None:
        return f"{span.low:.0f} ms at least; nobody can tell how long"
    return f"{span.low:.0f} to {span.high:.0f} ms, likely {span.likely:.0f} ms"
