"""Pages of large audit logs: few months are opened, few blocks are read, wherever a page begins."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import combinations
from typing import Any
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuid_utils
from psycopg.abc import Params, Query
from psycopg.rows import dict_row

from global_db.audit_pages import GlobalAuditFilter
from global_db.audit_walk import AuditFilter, AuditPosition
from global_db.connection import ReadConnection, Row
from shards import audit_pages
from tests.integration.databases import ShardDatabase
from tests.integration.explaining import Explaining
from tests.integration.library import reader
from tests.integration.old_months import months_ago
from tests.integration.postgres import APP, Postgres

_log = logging.getLogger(__name__)

MONTHS, PAGE, BLOCKS = 12, 50, 6_000
ACTIONS = ("content.read", "document.update", "version.create", "document.create")
# The first tenant has half of everything. Rows are filed before the table has indexes, and as
# replication files them: without triggers.
_MONTH = (
    "CREATE TABLE docshard.{name} (LIKE docshard.audit_logs INCLUDING DEFAULTS"
    " INCLUDING CONSTRAINTS)",
    """
    INSERT INTO docshard.{name} (client_id, id, user_id, action, entity_type, entity_id, changes,
           content_hash, created_at)
    SELECT c.ids[CASE WHEN n % 2 = 0 THEN 1 ELSE 1 + n / 2 % cardinality(c.ids) END],
           gen_random_uuid(), c.ids[1 + n / 3 % 7], c.actions[1 + floor(4 * random() ^ 6)::int],
           CASE WHEN n % 5000 = 1 THEN 'upload' ELSE 'document' END,
           ('00000000-0000-7000-8000-' || lpad(to_hex(n % 1000), 12, '0'))::uuid,
           '{{"before": null, "after": {{"size": 4711}}}}', '\\x{zeros}',
           '{first}'::timestamptz + n * interval '{days} days' / {rows}
      FROM generate_series(0, {rows} - 1) AS n,
           (SELECT '{clients}'::uuid[] AS ids, '{actions}'::text[] AS actions) AS c
    """,
    "ALTER TABLE docshard.{name} ALTER COLUMN client_id SET (n_distinct = 1)",
    "ALTER TABLE docshard.{name} ADD PRIMARY KEY (client_id, created_at, id)",
    "ALTER TABLE docshard.audit_logs ATTACH PARTITION docshard.{name}"
    " FOR VALUES FROM ('{first}') TO ('{last}')",
    "ANALYZE docshard.{name}",
)


class Measuring(Explaining):
    """Runs each statement once more to see what it did."""

    async def execute(
        self, query: Query, params: Params | None = None, **options: Any
    ) -> psycopg.AsyncCursor[Row]:
        """Explain by running, then run."""
        asking = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {query!s}".encode()
        cursor = await psycopg.AsyncConnection.execute(self, asking, params, prepare=False)
        (told,) = await cursor.fetchall()
        (plan,) = told["QUERY PLAN"]
        self.plans.append(plan["Plan"] | {"Milliseconds": plan["Execution Time"]})
        return await psycopg.AsyncConnection.execute(self, str(query).encode(), params, **options)


@dataclass(frozen=True)
class Archive:
    """A shard with a year of entries, and its tenants, the largest first."""

    shard: ShardDatabase
    clients: list[UUID]
    rows: int


def filled(shard: ShardDatabase, clients: list[UUID], rows: int) -> Archive:
    """Whole months up to the last one."""
    with psycopg.connect(shard.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute("SET maintenance_work_mem = '256MB'")
        for ago in range(MONTHS, 0, -1):
            first, last = months_ago(ago), months_ago(ago - 1)
            names = {
                "name": f"audit_logs_{first:%Y_%m}",
                "first": f"{first}Z",
                "last": f"{last}Z",
                "days": (last - first).days,
                "rows": rows // MONTHS,
                "clients": "{" + ",".join(map(str, clients)) + "}",
                "actions": "{" + ",".join(ACTIONS) + "}",
                "zeros": "00" * 32,
            }
            for statement in _MONTH:
                superuser.execute(statement.format(**names).encode())
    return Archive(shard, clients, rows)


@pytest.fixture(
    scope="module", params=[60_000, pytest.param(10_000_000, marks=pytest.mark.torture)]
)
async def year(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[Archive]:
    with postgres.database("template_shard") as database:
        shard = ShardDatabase(database.server, database.name)
        clients = [await shard.admit() for _ in range(20)]
        yield filled(shard, clients, request.param)


@pytest.fixture
async def session(year: Archive) -> AsyncIterator[Measuring]:
    async with await Measuring.connect(
        year.shard.conninfo(APP), autocommit=True, row_factory=dict_row
    ) as made:
        yield made


def places() -> Iterator[tuple[str, AuditPosition | None]]:
    """The first page, one in the middle, and one near the end."""
    yield "first", None
    for name, ago in (("middle", 6), ("late", MONTHS)):
        month = months_ago(ago)
        at = datetime(month.year, month.month, 20, tzinfo=UTC)
        yield name, AuditPosition(at, uuid_utils.uuid7())


def filters(year: Archive) -> Iterator[dict[str, Any]]:
    """None, each, and all of them, of the large one every pair too; also what nothing fits."""
    given: dict[str, Any] = {
        "user_id": year.clients[3],
        "action": ACTIONS[2],
        "entity_type": "upload",
        "entity_id": UUID("00000000-0000-7000-8000-000000000007"),
        "since": datetime.now(UTC) - timedelta(days=150),
    }
    pairs = (2,) if year.rows > 1_000_000 else ()
    for number in (0, 1, *pairs, len(given)):
        for names in combinations(given, number):
            yield {name: given[name] for name in names}
    yield {"user_id": uuid_utils.uuid7()}
    yield {"entity_type": "nothing"}


@dataclass
class Gauge:
    """Asks pages, and keeps the milliseconds that each kind took in the database."""

    session: Measuring
    times: dict[str, float] = field(default_factory=dict)

    async def page(self, what: str, ask: Callable[[], Awaitable[object]]) -> None:
        """The quickest of three: the first also reads catalogs, once for a whole session."""
        taken = []
        for _ in range(3):
            self.session.plans.clear()
            await ask()
            taken.append(sum(plan["Milliseconds"] for plan in self.session.plans))
        plans = self.session.plans
        blocks = sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)
        assert blocks < BLOCKS, (what, blocks)
        assert len(plans) <= 2
        self.times[what] = max(min(taken), self.times.get(what, 0))

    def tell(self, rows: int, of: str) -> None:
        """Log the median and the slowest kinds."""
        slowest = [f"{what} {ms:.1f}" for what, ms in sorted(self.times.items(), key=_ms)[-4:]]
        middle = sorted(self.times.values())[len(self.times) // 2]
        _log.info("%d rows, pages %s: median %.2f ms; slowest %s", rows, of, middle, slowest)


def _ms(one: tuple[str, float]) -> float:
    return one[1]


async def test_any_page_of_a_tenant_reads_little(year: Archive, session: Measuring) -> None:
    gauge = Gauge(session)
    for client_id in (year.clients[0], year.clients[5]):
        reads = reader(session, client_id)
        for values in filters(year):
            for name, before in places():
                ask = partial(audit_pages.newest, reads, AuditFilter(**values), before, PAGE)
                await gauge.page(f"{name} page, {', '.join(values) or 'all'}", ask)
    gauge.tell(year.rows, "of a tenant")


async def test_any_page_of_all_tenants_reads_little(year: Archive, session: Measuring) -> None:
    gauge, reads = Gauge(session), ReadConnection(session)
    for values in filters(year):
        for client_id in (None, year.clients[5]):
            for name, before in places():
                wanted = GlobalAuditFilter(**values, client_id=client_id)
                ask = partial(audit_pages.newest_of_all, reads, wanted, before, PAGE)
                await gauge.page(f"{name} page, {', '.join(values) or 'all'}", ask)
    gauge.tell(year.rows, "of all tenants")


async def test_a_page_opens_the_months_it_needs(year: Archive, session: Measuring) -> None:
    reads = reader(session, year.clients[0])
    for ago in range(1, MONTHS + 1):
        month = months_ago(ago)
        before = AuditPosition(datetime(month.year, month.month, 25, tzinfo=UTC), year.clients[0])
        page = await audit_pages.newest(reads, AuditFilter(), before, PAGE)
        assert len(page.rows) == PAGE
        opened = {node["Relation Name"] for node in session.scans()} - {"audit_chain"}
        assert opened == {f"audit_logs_{month:%Y_%m}"}
        session.plans.clear()
    # The first page begins in this month, which has no rows: behind it lies all the rest.
    await audit_pages.newest(reads, AuditFilter(), None, PAGE)
    first, rest = ({*months(plan)} for plan in session.plans)
    assert first == {*(f"audit_logs_{months_ago(-ahead):%Y_%m}" for ahead in range(4)),
                     "audit_logs_default"}  # fmt: skip
    assert not first & rest - {"audit_logs_default"}


def months(plan: dict[str, Any]) -> Iterator[str]:
    if str(plan.get("Relation Name", "")).startswith("audit_logs"):
        yield plan["Relation Name"]
    for child in plan.get("Plans", ()):
        yield from months(child)
