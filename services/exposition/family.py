"""Families of figures: one name, one meaning, a number for each combination of labels. Pure.

The text format is Prometheus' (version 0.0.4). Labels come from what the program itself names:
routes, shards, roles, codes. Never a client's id, never a path as it was called: each value is a
series that is kept for weeks, and whoever may read figures may not know who our tenants are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, Literal

from global_db.tally import Histogram

__all__ = [
    "Family",
    "Histogram",
    "counter",
    "gauge",
    "histogram",
    "kind_of",
    "merged",
    "parsed",
    "text",
]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Kind = Literal["counter", "gauge", "histogram"]
Across = Literal["sum", "max", "min"]
Labels = Mapping[str, str]

_ESCAPED: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(r"\\(.)")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WAYS: Final[Mapping[Across, Callable[[Sequence[float]], float]]] = {
    "sum": sum,
    "max": max,
    "min": min,
}


@dataclass(frozen=True, slots=True)
class Family:
    """`samples` are by name with labels, as they are written; `across` says what one number several
    processes' make."""

    name: str
    kind: Kind
    told: str
    samples: Mapping[str, float]
    across: Across = "sum"


def counter(name: str, told: str, values: Iterable[tuple[Labels, float]]) -> Family:
    """What only grows; the name ends in `_total`."""
    return Family(name, "counter", told, _samples(name, values))


def gauge(
    name: str, told: str, values: Iterable[tuple[Labels, float]], across: Across = "sum"
) -> Family:
    """What is so now."""
    return Family(name, "gauge", told, _samples(name, values), across)


def histogram(name: str, told: str, values: Iterable[tuple[Labels, Histogram]]) -> Family:
    """Durations in seconds."""
    samples: dict[str, float] = {}
    for labels, counted in values:
        counts = list(accumulate(counted.counts))
        bounds = [f"{bound:g}" for bound in counted.bounds] + ["+Inf"]
        for bound, count in zip(bounds, counts, strict=True):
            samples[labelled(f"{name}_bucket", {**labels, "le": bound})] = count
        samples[labelled(f"{name}_sum", labels)] = round(counted.seconds, 6)
        samples[labelled(f"{name}_count", labels)] = counts[-1]
    return Family(name, "histogram", told, samples)


def labelled(name: str, labels: Labels) -> str:
    """A sample's name with its labels."""
    if not labels:
        return name
    inner = ",".join(f'{key}="{value.translate(_ESCAPED)}"' for key, value in labels.items())
    return f"{name}{{{inner}}}"


def parsed(sample: str) -> tuple[str, dict[str, str]]:
    """A sample's name and its labels: the reverse of `labelled`."""
    name, _, labels = sample.partition("{")
    return name, {key: _ESCAPE.sub(_meant, value) for key, value in _LABEL.findall(labels)}


def kind_of(error: type[Exception]) -> str:
    """An error's name as a label has it: `pool_exhausted`."""
    return _HUMP.sub("_", error.__name__).lower()


def merged(processes: Iterable[Sequence[Family]]) -> list[Family]:
    """One family for each name, its samples added up, or the largest or least of each."""
    found: dict[str, list[Family]] = {}
    for families in processes:
        for family in families:
            found.setdefault(family.name, []).append(family)
    return [_one(same) for same in found.values()]


def text(families: Iterable[Family]) -> bytes:
    """The page that Prometheus reads."""
    return "".join(line for family in families for line in _lines(family)).encode()


def _meant(escaped: re.Match[str]) -> str:
    return "\n" if escaped[1] == "n" else escaped[1]


def _samples(name: str, values: Iterable[tuple[Labels, float]]) -> dict[str, float]:
    return {labelled(name, labels): value for labels, value in values}


def _one(same: Sequence[Family]) -> Family:
    if len(same) == 1:
        return same[0]
    values: dict[str, list[float]] = {}
    for family in same:
        for sample, value in family.samples.items():
            values.setdefault(sample, []).append(value)
    way = _WAYS[same[0].across]
    return replace(same[0], samples={sample: way(given) for sample, given in values.items()})


def _lines(family: Family) -> Iterator[str]:
    if family.samples:
        yield f"# HELP {family.name} {family.told}\n# TYPE {family.name} {family.kind}\n"
        for sample, value in family.samples.items():
            yield f"{sample} {_number(value)}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
