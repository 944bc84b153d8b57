"""Figures of processes that work: what they count of databases, and what one tells of the fleet."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import HttpUrl

from deploy.local.ports import free
from deploy.worker import JobTally
from deploy.worker_figures import figures_page
from global_db.archiving import Archiving
from services.backup_settings import BackupBucket, BackupSettings
from services.exposition.family import Family, gauge
from services.fleet.backup_ages import newest_first
from services.fleet.backup_figures import BackupState
from services.fleet.figures import ClusterState, FleetFigures, FleetState, families, months_ahead
from services.metrics_settings import MetricsSettings
from tests.integration.chains import Chains
from tests.integration.service import Service, settings_for

LOOPBACK = "127.0.0.1"
DRILL = """
    INSERT INTO docshard.drills
    VALUES (gen_random_uuid(), 'shard-1', now(), now(), 'F', 1, 1, 400, 10, false, '["late"]', '{}')
"""


def told(found: Iterable[Family]) -> dict[str, float]:
    return {name: value for family in found for name, value in family.samples.items()}


async def test_one_worker_tells_of_chains_and_months(chains: Chains, key_file: Path) -> None:
    figures = FleetFigures(chains.worker, settings_for(chains.fleet.global_db, key_file))
    assert figures.families() == []
    await chains.tenant(rows=1)
    await figures.run()
    waiting = told(figures.families())
    assert waiting['docshard_audit_chain_delay_seconds{shard="shard-1"}'] > 0
    assert waiting['docshard_audit_chain_delay_seconds{shard="shard-2"}'] == 0
    assert waiting['docshard_audit_months_ahead{shard="shard-1"}'] >= 0
    assert waiting['docshard_moves{phase="copying"}'] == waiting["docshard_moves_unattended"] == 0
    await chains.link()
    await figures.run()
    assert told(figures.families())['docshard_audit_chain_delay_seconds{shard="shard-1"}'] == 0


async def test_work_is_counted_by_cluster_and_role(chains: Chains) -> None:
    primary = chains.app.registry.cluster("shard-1").tally.primary
    before = sum(primary.counts)
    await chains.tenant(rows=1)
    assert sum(primary.counts) == before + 1
    assert primary.seconds > 0


async def test_a_router_tells_its_neighbour_and_nobody_else(service: Service) -> None:
    async with service.caller(address=LOOPBACK) as near, service.caller() as far:
        assert (await far.get("/v1/me")).status_code == 401
        page = await near.get("/metrics")
        assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert 'docshard_requests_total{route="get_me",status="4xx"} 1' in page.text
        assert 'docshard_problems_total{code="unauthenticated"} 1' in page.text
        assert 'docshard_primary_known{shard="global"} 1' in page.text
        absent, hidden = await far.get("/nothing"), await far.get("/metrics")
    kept = ("type", "title", "status", "detail", "code")
    assert [absent.json()[name] for name in kept] == [hidden.json()[name] for name in kept]


async def test_a_worker_tells_of_backups_while_their_store_is_away(
    chains: Chains, key_file: Path
) -> None:
    bucket = BackupBucket(endpoint=HttpUrl(f"http://{LOOPBACK}:{free()}"), bucket="backups")
    settings = settings_for(chains.fleet.global_db, key_file).model_copy(
        update={"backup": BackupSettings(buckets=(bucket,))}
    )
    async with chains.fleet.global_db.session() as session:
        await session.execute(DRILL)
    figures = FleetFigures(chains.worker, settings)
    await figures.run()
    found = told(figures.families())
    assert found['docshard_drill_good{shard="shard-1"}'] == 0
    assert found['docshard_drill_rpo_seconds{shard="shard-1"}'] == 400
    # None was good yet: so long there has been something to drill.
    assert found['docshard_drill_good_age_seconds{shard="shard-1"}'] > 0
    assert found['docshard_drill_good_age_seconds{shard="global"}'] > 0
    # These servers archive nothing.
    assert not [one for one in found if "archiv" in one]


async def test_a_worker_answers_on_its_own_port(caplog: pytest.LogCaptureFixture) -> None:
    page = [gauge("g", "G.", [({}, 1)])]
    async with figures_page(MetricsSettings(port=0), lambda: page) as port:

        async def asked(request: bytes) -> bytes:
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(request)
            answer = await reader.read()
            writer.close()
            return answer

        head, _, body = (await asked(b"GET /metrics HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b"# HELP g G.\n# TYPE g gauge\ng 1\n"
        assert (await asked(b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert await asked(b"x" * 20_000) == b""
        assert caplog.records == []
    async with figures_page(MetricsSettings(), lambda: page) as port:
        assert port is None


def test_ages_of_what_the_fleet_has() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    backups = BackupState(
        pointed_at=now - timedelta(minutes=5),
        backups={"docshard-global": now - timedelta(hours=2), "docshard-shard-1": None},
        copied_at=now - timedelta(minutes=10),
        archiving={"shard-1": Archiving(61.0, fails=True), "global": Archiving(None, fails=False)},
        well_drilled_at={"shard-1": now - timedelta(days=2)},
    )
    clusters = [ClusterState("shard-1", now - timedelta(seconds=3), 2, 1)]
    state = FleetState(now, [], clusters, backups)
    found = told(families(state))
    assert found['docshard_audit_chain_delay_seconds{shard="shard-1"}'] == 3
    assert found["docshard_restore_point_age_seconds"] == 300
    assert found['docshard_backup_age_seconds{stanza="docshard-global"}'] == 7200
    assert 'docshard_backup_age_seconds{stanza="docshard-shard-1"}' not in found
    assert found["docshard_blob_copy_age_seconds"] == 600
    assert found['docshard_wal_archived_age_seconds{shard="shard-1"}'] == 61
    assert 'docshard_wal_archived_age_seconds{shard="global"}' not in found
    assert found['docshard_wal_archiving_fails{shard="shard-1"}'] == 1
    assert found['docshard_drill_good_age_seconds{shard="shard-1"}'] == 2 * 86_400
    # A fleet that is not backed up tells nothing of backups.
    assert not [one for one in told(families(replace(state, backups=None))) if "backup" in one]


def test_months_are_ahead_without_a_gap() -> None:
    today = date(2026, 11, 23)
    known = [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1), date(2027, 3, 1)]
    assert months_ahead(known, today) == 2
    assert months_ahead([], today) == 0


def test_backups_are_known_by_their_labels() -> None:
    names = ["20260101-020000F", "20260101-020000F_20260102-030000I", "backup.history", "latest"]
    assert [name for _, name in newest_first(names)] == [names[1], names[0]]


def test_a_jobs_last_success_is_kept() -> None:
    tally = JobTally()
    tally.done(0.5)
    assert (tally.runs, tally.seconds, tally.failures) == (1, 0.5, 0)
    assert tally.succeeded_at > 0
