"""The doctor's look at tenants and at what moves left, and the mending of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import click

from deploy.cli.service import service_settings, with_mover
from services.fleet import placement_examination
from services.fleet.doctor import Examination
from services.fleet.placement_doctor import Misplaced
from services.fleet.placement_examination import Examined
from services.resources import Data


@dataclass(frozen=True)
class Mending:
    """Whether each mend is asked for, and why it is done."""

    ask: bool
    reason: str | None


def look_at_tenants(examination: Examination) -> Examined:
    """Compare the directory with the shards, if that can be now."""
    if service_settings().mover_password is None:
        click.echo("note: tenants were not looked at: DOCSHARD_MOVER_PASSWORD is not set", err=True)
        return Examined(())
    for schema in examination.schemas:
        if schema.name == "global" and (schema.pending or schema.error):
            return Examined(())
    return with_mover(lambda _, mover: placement_examination.examine(mover))


def mend_tenants(examined: Examined, mending: Mending) -> Examined:
    """Mend what can be mended and is wished; answers what is left."""
    wished = [
        one
        for one in examined.found
        if one.mend is not None and (not mending.ask or _agreed(one, one.mend.words))
    ]

    async def work(data: Data, mover: Data) -> list[bool]:
        await mover.registry.refresh()
        return [
            await placement_examination.mend(data, mover, one, mending.reason) for one in wished
        ]

    for one, done in zip(wished, with_mover(work) if wished else [], strict=True):
        words = one.mend.words if one.mend else ""
        told = f"mended: {words}" if done else f"left alone, it has changed since: {words}"
        click.echo(f"{one.shard}: {told}", err=True)
    return replace(examined, found=tuple(one for one in examined.found if one not in wished))


def _agreed(misplaced: Misplaced, words: str) -> bool:
    click.echo(f"{misplaced.shard} {misplaced.what}", err=True)
    return click.confirm(f"  {words}?", err=True)
