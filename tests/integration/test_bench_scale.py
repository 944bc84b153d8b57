"""The fleets of `make bench-scale` grow by rows that routers take for those of real ones."""

from functools import partial
from uuid import UUID

from loadtests.bench.fleet import Shard
from loadtests.bench.growing import Subject, more_documents, more_shards, more_tenants
from loadtests.bench.processor import Family
from loadtests.bench.servers import Server
from loadtests.target import Target
from shards.documents import get
from tests.integration.databases import Fleet
from tests.integration.postgres import Database

NOWHERE = Target("http://127.0.0.1:9", "", "")


def reached(database: Database) -> Shard:
    """It, as the benchmarks reach a server of a fleet."""
    names = ("DOCSHARD_ADMIN_DB_PASSWORD", "DOCSHARD_APP_PASSWORD")
    known = {"DOCSHARD_DATABASE": database.name, **dict.fromkeys(names, database.server.password)}
    return Shard("127.0.0.1", str(database.server.port), known, NOWHERE)


def subject(fleet: Fleet, client_id: UUID) -> Subject:
    return Subject(
        directory=reached(fleet.global_db),
        shard="shard-1",
        home=reached(fleet.shards["shard-1"]),
        client_id=client_id,
        key="",
        server=Server("", 9, Family(0)),
        databases=[],
    )


async def test_a_fleet_grows_by_tenants_documents_and_shards(fleet_dbs: Fleet) -> None:
    client_id = await fleet_dbs.tenant("shard-1")
    grown = subject(fleet_dbs, client_id)
    more_tenants(grown, 30)
    more_documents(grown, 40)
    more_shards(grown, 5)
    several = grown.several()
    assert len(several) == len(set(several)) == 30
    assert client_id in several
    documents = grown.tenant().documents
    assert len(documents) == 38, "one in twenty is deleted"
    async with fleet_dbs.data() as data:
        assert len(data.registry.shards()) == 5
        assert {(await data.placements.get(one)).shard for one in several} == {"shard-1"}
        asked = partial(get, document_id=documents[0])
        found = [await data.tenants.read(one, asked) for one in several]
    assert [one.client_id for one in found if one is not None] == [client_id]
