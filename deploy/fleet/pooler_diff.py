"""What differs between the configuration of a PgBouncer and what one that runs says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

_YES = {"1": "1", "yes": "1", "on": "1", "true": "1", "0": "0", "no": "0", "off": "0", "false": "0"}
Takes = Literal["reload", "restart"]


@dataclass(frozen=True)
class Setting:
    """A line of SHOW CONFIG."""

    value: str
    changeable: bool


@dataclass(frozen=True)
class Offered:
    """A line of SHOW DATABASES."""

    host: str
    port: str
    database: str


@dataclass(frozen=True)
class Running:
    """What a PgBouncer says of itself: settings by key, databases by name."""

    settings: Mapping[str, Setting]
    databases: Mapping[str, Offered]


@dataclass(frozen=True)
class Change:
    """One difference, and what makes the running one take it over."""

    what: str
    running: str | None
    wanted: str | None
    takes: Takes


def differences(wanted: Mapping[str, Mapping[str, str]], running: Running) -> list[Change]:
    """What would change, settings first. `wanted` is what `parse_pooler` gives."""
    return [
        *_settings(wanted["pgbouncer"], running.settings),
        *_databases(wanted["databases"], running.databases),
    ]


def _settings(wanted: Mapping[str, str], running: Mapping[str, Setting]) -> Iterator[Change]:
    for key, value in wanted.items():
        told = running.get(key)
        if told is None:
            # It does not know the key at all: another version must be started.
            yield Change(key, None, value, "restart")
        elif _plain(told.value) != _plain(value):
            yield Change(key, told.value, value, "reload" if told.changeable else "restart")


def _databases(wanted: Mapping[str, str], running: Mapping[str, Offered]) -> Iterator[Change]:
    offered = {name: _text(one) for name, one in running.items() if name != "pgbouncer"}
    for name in sorted(wanted.keys() | offered.keys()):
        before, after = offered.get(name), wanted.get(name)
        if before != after:
            yield Change(f"database {name}", before, after, "reload")


def _text(offered: Offered) -> str:
    return f"host={offered.host} port={offered.port} dbname={offered.database}"


def _plain(value: str) -> str:
    """Without what only looks different: blanks around commas, words for yes and no."""
    text = ",".join(part.strip() for part in value.split(","))
    return _YES.get(text.lower(), text)
