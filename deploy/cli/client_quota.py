"""`docshard client quota`: how much a client may store, and how often it may ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final

import click

from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_one,
    show_steps,
)
from deploy.cli.service import with_data
from services.fleet import quotas
from services.fleet.quotas import Quota, Standing
from services.fleet.units import size

NONE: Final = "none"
_MOST: Final = 2**63 - 1
"""What the database can count to."""
_BYTES: Final = re.compile(r"(\d+(?:\.\d+)?) ?([KMGTP]i?)?B?")
_POWERS: Final = "KMGTP"
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)(?:/(s|min))?")


class Limit(click.ParamType[Any]):
    """A limit in its own notation, or `none`."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The limit, or NONE: unlike an option that was not given."""
        if not isinstance(value, str) or value == NONE:
            return value
        found = self.parse(value)
        if found is None or not 0 <= found <= _MOST:
            self.fail(f"{value!r} is neither {self.name} nor `{NONE}`", param, ctx)
        return found

    def parse(self, text: str) -> float | None:
        """The limit; None when the text is none."""
        return int(text) if text.isascii() and text.isdigit() else None


class Bytes(Limit):
    """Bytes: `500MB`, `10GiB`."""

    name = "size"

    def parse(self, text: str) -> float | None:
        """Bytes."""
        found = _BYTES.fullmatch(text)
        if found is None:
            return None
        number, unit = found.groups()
        base = 1024 if unit and unit.endswith("i") else 1000
        power = _POWERS.index(unit[0]) + 1 if unit else 0
        return round(float(number) * float(base**power))


class Rate(Limit):
    """Requests in a time: `20/s`, `300/min`."""

    name = "rate"

    def parse(self, text: str) -> float | None:
        """Requests a second."""
        found = _RATE.fullmatch(text)
        if found is None or not float(found[1]):
            return None
        return float(found[1]) / (60 if found[2] == "min" else 1)


@click.command()
@click.argument("name", metavar="CLIENT")
@click.option("--documents", type=Limit(), help="Living documents; `none`: no limit.")
@click.option("--bytes", "size_", type=Bytes(), help="Of all stored versions: 500MB, 10GiB.")
@click.option("--requests", type=Rate(), help="In the place of every client's: 20/s, 300/min.")
@dry_run_option
@reason_option
@output_option
def quota(
    name: str,
    *,
    documents: Any,
    size_: Any,
    requests: Any,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Show what a client may use and does use; or set limits, which routers heed at once.

    What is stored beyond a new limit stays: nothing may be added to it.
    """
    given = {"max_documents": documents, "max_bytes": size_, "requests_per_second": requests}
    changes = {
        limit: None if value == NONE else value
        for limit, value in given.items()
        if value is not None
    }
    if changes and dry_run:
        now = with_data(partial(quotas.of_client, name=name))
        show_steps([*_steps(name, now, replace(now, **changes))])
        return
    if changes:
        outcome = with_data(partial(quotas.change, name=name, limits=changes, reason=reason))
        for step in _steps(name, *outcome):
            click.echo(f"done: {step}", err=True)
    found = with_data(partial(quotas.standing, name=name))
    show_one("quota", _shown(found, output), output)


def _steps(name: str, before: Quota, after: Quota) -> Iterator[str]:
    was, becomes = asdict(before), asdict(after)
    for limit, value in becomes.items():
        if was[limit] != value:
            yield f"set {limit} of {name} from {_told(was[limit])} to {_told(value)}"


def _told(value: float | None) -> str:
    return NONE if value is None else f"{value:g}" if isinstance(value, float) else f"{value:,}"


def _shown(found: Standing, output: Format) -> dict[str, Any]:
    shown = asdict(found)
    if output is Format.TABLE:
        shown["bytes"] = size(found.bytes)
        if found.max_bytes is not None:
            shown["max_bytes"] = size(found.max_bytes)
    return shown
