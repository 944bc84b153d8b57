"""What a replica has proven holds for as long as it lives, and not a moment longer."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from global_db.connection import Prelude, ReadConnection
from global_db.node import Node
from global_db.proofs import Demand
from global_db.reading import Served
from shards.documents import Document
from shards.residency import entrance
from shards.tenants import TenantRead
from tests.integration.databases import Fleet
from tests.integration.pair import Member, Way, running_pair
from tests.integration.postgres import SUPERUSER, Site
from tests.integration.twins import Twins, after, twins_of
from tests.integration.waiting import until
from tests.integration.work import look

pytestmark = pytest.mark.versions


async def test_a_crash_or_a_start_begins_a_new_life_and_a_promotion_does_not(
    postgres_site: Site, pair_template: Path
) -> None:
    with running_pair(postgres_site, pair_template, synchronous=False) as (_, replica):
        lives = [life_of(replica)]
        with connected(replica) as session, pytest.raises(psycopg.OperationalError):
            os.kill(session.info.backend_pid, signal.SIGKILL)
            session.execute("SELECT 1")
        await until_reborn(replica, lives)
        replica.stop()
        replica.start()
        await until_reborn(replica, lives)
        with connected(replica) as session:
            replica.promote()
            assert life_of(replica) == lives[-1]
            assert session.execute("SELECT docshard.life()").fetchone() == (lives[-1],)


async def test_a_replica_that_went_back_behind_a_pooler_is_not_believed(
    postgres_site: Site, pair_template: Path, own_fleet: Fleet
) -> None:
    """A pooler hides that another life of the server answers; the statement finds it out."""
    async with twins_of(postgres_site, pair_template, own_fleet, Way(pooled=True)) as twins:
        go_back = keep(postgres_site, twins.pair.replica)
        await twins.until_served_by("replica")
        document_id, written = await twins.write()
        await twins.until_served_by("replica", after(written))
        node = replica_of(twins)
        belief = entrance(twins.client_id, 1).before(Demand(1, written.position.lsn), node)
        assert belief is not None and belief.life is not None
        assert await read_on(twins, node, document_id, belief) is not None

        go_back()
        await until_answered_without_demand(twins, node, document_id)
        with pytest.raises(psycopg.DatabaseError, match="restarted") as refused:
            await read_on(twins, node, document_id, belief)
        assert refused.value.sqlstate == "DS007"
        assert await twins.read(document_id, after(written)) == (True, Served("primary"))


def life_of(member: Member) -> object:
    with connected(member) as session:
        [life] = session.execute("SELECT docshard.life()").fetchone() or [None]
    return life


async def until_reborn(member: Member, lives: list[object]) -> None:
    """Wait until it lets us in again, in a life that it never had."""

    async def lives_again() -> bool:
        try:
            lives.append(life_of(member))
        except psycopg.OperationalError:
            return False
        return True

    await until(lives_again, 20)
    assert len(set(lives)) == len(lives)


@contextmanager
def connected(member: Member) -> Iterator[psycopg.Connection[Any]]:
    conninfo = member.postgres.conninfo(SUPERUSER, "template_shard")
    with psycopg.connect(conninfo, autocommit=True) as session:
        yield session


def keep(site: Site, replica: Member) -> Callable[[], None]:
    """Keep the replica's data; what is answered takes it back to them, cut off from its primary."""
    old = replica.folder.with_name(f"{replica.name}-old")
    replica.stop()
    site.copy(replica.folder, old)
    replica.start()

    def go_back() -> None:
        replica.kill()
        site.delete(replica.folder)
        old.rename(replica.folder)
        with (replica.folder / "postgresql.auto.conf").open("a") as written:
            written.write("primary_conninfo = ''\n")
        replica.start()

    return go_back


def replica_of(twins: Twins) -> Node:
    cluster = twins.data.registry.cluster("shard-1")
    return next(node for node in cluster.nodes if node.trusted)


async def read_on(
    twins: Twins, node: Node, document_id: UUID, prelude: Prelude | None
) -> Document | None:
    """The document as this node shows it."""
    placement = await twins.data.placements.get(twins.client_id)
    raw = await node.lend(writes=False)
    try:
        return await look(document_id)(TenantRead(ReadConnection(raw, prelude), placement))
    finally:
        await node.take_back(raw)


async def until_answered_without_demand(twins: Twins, node: Node, document_id: UUID) -> None:
    """Wait until the pooler reaches the server that went back: it lacks the document."""

    async def answers() -> bool:
        try:
            return await read_on(twins, node, document_id, None) is None
        except psycopg.OperationalError:
            return False

    await until(answers, 20)
