"""Reads right behind a switch: a replica that has not replayed the opening answers none of them."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from global_db.reading import Served
from tests.integration.databases import Fleet
from tests.integration.move_desk import desk
from tests.integration.postgres import Site
from tests.integration.twins import STALE, after, twins_of

pytestmark = pytest.mark.versions


async def test_until_the_opening_is_replayed_the_targets_primary_answers(
    postgres_site: Site, pair_template: Path, own_fleet: Fleet
) -> None:
    async with twins_of(postgres_site, pair_template, own_fleet) as made, desk(made.fleet) as at:
        twins = replace(made, client_id=await made.fleet.tenant("shard-2"))
        document_id, written = await twins.write()
        twins.pair.replica.pause_replay()
        async with at.runner():
            move = await at.order({twins.client_id: 1}, "shard-2", "shard-1")
            await at.reaches(move, "switched", "swept")
            async with twins.pair.on_replica().session() as replica:
                with pytest.raises(psycopg.Error, match="does not live here"):
                    await replica.execute("SELECT docshard.enter(%s, 2)", [twins.client_id])
            for reading in (STALE, after(written)):
                assert await twins.read(document_id, reading) == (True, Served("primary"))
            later_id, later = await twins.write()
            assert await twins.read(later_id, after(later)) == (True, Served("primary"))
            twins.pair.replica.resume_replay()
            await twins.until_served_by("replica", after(later))
            assert (await twins.read(document_id, after(written)))[0]
            await at.ends(move, "swept")
