"""How gently moves run: the options that every command which starts a rebalance takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from deploy.cli.service import service_settings
from services.fleet.rebalances import RunLimits

Command = TypeVar("Command", bound=Callable[..., Any])
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)(i?)B?(?:/s)?", re.IGNORECASE)
_POWERS: Final = {"": 0, "K": 1, "M": 2, "G": 3}


class Rate(click.ParamType[int]):
    """Bytes a second, such as 50MB/s or 8MiB/s."""

    name = "RATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; a rate below a byte a second would never end."""
        found = _RATE.fullmatch(str(value).strip())
        rate = int(_rate(found)) if found else 0
        if rate < 1:
            self.fail(f"{value!r} is no rate such as 50MB/s or 8MiB/s", param, ctx)
        return rate


def _rate(found: re.Match[str]) -> float:
    number, unit, binary = found.groups()
    return float(number) * float(1024 if binary else 1000) ** _POWERS[unit.upper()]


def run_options(command: Command) -> Command:
    """Add --moves-per-shard, --rate and --grace; `limits_of` makes limits of their values."""
    at_once = click.option(
        "--moves-per-shard",
        type=click.IntRange(1, 16),
        default=RunLimits().moves_per_source,
        show_default=True,
        help="Moves at a time out of a shard, and into one.",
    )
    rate = click.option("--rate", type=Rate(), help="Copy no more in a second, such as 50MB/s.")
    grace = click.option(
        "--grace",
        type=click.FloatRange(0, 30 * 86_400),
        metavar="SECONDS",
        help="How long the way back is kept after a switch, before the source is swept.",
    )
    return at_once(rate(grace(command)))


def limits_of(*, moves_per_shard: int, rate: int | None, grace: float | None) -> RunLimits:
    """The limits that the options say. A grace that was not said is the one in this environment's
    settings: it is written down with the rebalance, so that everybody can tell when it ends."""
    kept = service_settings().moves.grace_seconds if grace is None else grace
    return RunLimits(moves_per_shard, moves_per_shard, rate, kept)
