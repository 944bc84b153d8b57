"""Clocks that are an hour off: what must not depend on them does not (docs/resource-faults.md)."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from services.blobs.store import BlobStore
from services.s3_settings import S3Settings
from tests.faults.resources.clock import Clock, clock_in, forget
from tests.faults.resources.router_process import RouterProcess, router_process
from tests.integration.databases import Fleet
from tests.integration.waiting import until

HOUR = 3600
LEASE = {"DOCSHARD_PRINCIPAL_LEASE_SECONDS": "1"}


@dataclass(frozen=True)
class Astray:
    """A router whose clock a test moves while it runs."""

    fleet: Fleet
    router: RouterProcess
    clock: Clock


@pytest.fixture
async def astray(
    own_fleet: Fleet, tmp_path: Path, s3_settings: S3Settings, blobs: BlobStore
) -> AsyncIterator[Astray]:
    clock = clock_in(tmp_path)
    more = clock.environment | LEASE
    async with router_process(own_fleet, tmp_path, s3_settings, more) as router:
        forget(router.process.pid)
        yield Astray(own_fleet, router, clock)


async def test_a_routers_clock_that_is_an_hour_off_harms_nobody(
    astray: Astray, tell: Callable[[str], None]
) -> None:
    tenant = astray.router.struck
    for moved in (0, HOUR, -HOUR, 0):
        astray.clock.move(moved)
        once = {"Idempotency-Key": str(uuid4())}
        body = {"original_name": "a.txt", "mime_type": "text/plain"}
        made = await tenant.http.post(tenant.documents, json=body, headers=once)
        assert made.status_code == httpx.codes.CREATED, made.text
        # Rows carry the time of the database that has them.
        created = datetime.fromisoformat(made.json()["created_at"])
        assert abs((datetime.now(UTC) - created).total_seconds()) < 60
        again = await tenant.http.post(tenant.documents, json=body, headers=once)
        assert again.json()["id"] == made.json()["id"]
        token = {"Consistency-Token": made.headers["Consistency-Token"]}
        path = f"{tenant.documents}/{made.json()['id']}"
        assert (await tenant.http.get(path, headers=token)).status_code == httpx.codes.OK
        page = await tenant.http.get(tenant.documents, params={"limit": "1"})
        assert page.json()["items"][0]["id"] == made.json()["id"]
        put = await tenant.http.put(f"{path}/content", content=b"content")
        # An object store refuses signatures of another hour; that is told as its being away.
        if not put.is_success:
            assert moved != 0
            assert put.json()["code"] == "storage_unavailable"
        tell(f"a router's clock moved by {moved:+d} s: content answered {put.status_code}")


async def test_a_clock_that_is_set_back_prolongs_no_trust(astray: Astray) -> None:
    """What is revoked is out when the lease ends: a lease of an hour nobody has granted."""
    tenant = astray.router.struck
    assert (await tenant.list()).status_code == httpx.codes.OK
    astray.clock.move(-HOUR)
    async with astray.fleet.global_db.session() as session:
        await session.execute("UPDATE docshard.api_keys SET revoked_at = now()")
    begun = time.monotonic()

    async def out() -> bool:
        return (await tenant.list()).status_code == httpx.codes.UNAUTHORIZED

    await until(out, 10)
    assert time.monotonic() - begun < 10
