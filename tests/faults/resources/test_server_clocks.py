"""A database server whose clock is an hour off, and jumps while it works: what must hold, holds.

Once the server is shard-1's, once the global database's. See docs/resource-faults.md.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import uuid_utils.compat as uuid_utils

from global_db import move_claims
from global_db.errors import ClusterError
from global_db.move_claims import Claimed, Failure
from services.fleet import doctor
from services.fleet.moving.run import Run
from services.fleet.moving.runner import COPYING, Rhythm
from services.keys.local_file import create_key_file
from shards.tenants import TenantMoving
from tests.faults.resources.astray import Astray, astray_server
from tests.faults.resources.clock import Clock
from tests.faults.resources.lab import Lab, lab_over, neighbour, settings_of
from tests.integration.databases import Fleet
from tests.integration.move_desk import Desk, Ledger, desk, unsettled
from tests.integration.postgres import Postgres, Site
from tests.integration.service import serving, settings_for
from tests.integration.waiting import until
from tests.integration.work import insert

# Once, beside a whole suite, no move of the clock took effect: these run where that is looked at.
pytestmark = pytest.mark.torture

HOUR = 3600
_WHOSE = ["shard", "global"]
_LEASE_SECONDS = 60.0
Tell = Callable[[str], None]


@pytest.fixture(scope="module")
def astray(postgres_site: Site) -> Iterator[Astray]:
    with astray_server(postgres_site) as made:
        yield made


@pytest.fixture(params=_WHOSE)
async def fleet_astray(
    request: pytest.FixtureRequest,
    astray: Astray,
    postgres: Postgres,
    shard_servers: tuple[Postgres, Postgres],
) -> AsyncIterator[Fleet]:
    async with astray.fleet(request.param, postgres, shard_servers) as fleet:
        yield fleet


@pytest.fixture
async def at(fleet_astray: Fleet) -> AsyncIterator[Desk]:
    async with desk(fleet_astray) as opened:
        yield opened


async def written_and_found(lab: Lab) -> None:
    """A write, and again by its key; it is seen, and the audit log has it once (I1, I2, I5)."""
    http, once = lab.struck.http, {"Idempotency-Key": str(uuid4())}
    body = {"original_name": "a.txt", "mime_type": "text/plain"}
    made = await http.post(lab.struck.documents, json=body, headers=once)
    assert made.status_code == httpx.codes.CREATED, made.text
    lab.struck.acknowledged.add(made.json()["id"])
    again = await http.post(lab.struck.documents, json=body, headers=once)
    assert again.json() == made.json()
    token = {"Consistency-Token": made.headers["Consistency-Token"]}
    path = f"{lab.struck.documents}/{made.json()['id']}"
    assert (await http.get(path, headers=token)).json() == made.json()
    logged = await http.get(
        f"/v1/clients/{lab.struck.id}/audit-logs", params={"entity_id": made.json()["id"]}
    )
    assert [row["action"] for row in logged.json()["items"]] == ["document.create"]


async def test_whose_clock_jumps_goes_on_to_serve(
    fleet_astray: Fleet, astray: Astray, tmp_path: Path, tell: Tell
) -> None:
    create_key_file(tmp_path / "key")
    async with (
        lab_over(fleet_astray, settings_of(fleet_astray, tmp_path / "key")) as lab,
        neighbour(lab.spared) as others,
    ):
        for moved in (0, HOUR, 0, -HOUR, HOUR, 0):
            astray.clock.move(moved)
            await written_and_found(lab)
        assert await lab.unasked() == 0
        assert lab.shards() == {"shard-1": "ready", "shard-2": "ready"}
    tell(f"server's clock jumps: of {len(others.answers)} requests of others none was refused")


@pytest.mark.parametrize("fleet_astray", ["shard"], indirect=True)
async def test_who_waits_at_the_moment_of_a_jump_is_not_kept_for_an_hour(
    fleet_astray: Fleet, astray: Astray, tell: Tell
) -> None:
    """I9: the server's own deadlines go by the clock that was set back; ours do not."""
    tenant, shard = await fleet_astray.tenant(), fleet_astray.shards["shard-1"]
    async with fleet_astray.data() as data, shard.session() as holder, shard.session() as watcher:
        await holder.execute("BEGIN")
        await holder.execute("SELECT pg_advisory_xact_lock(docshard.tenant_lock(%s))", [tenant])
        begun = time.monotonic()
        writing = asyncio.create_task(data.tenants.write(tenant, insert(uuid_utils.uuid7())))

        async def waits() -> bool:
            cursor = await watcher.execute("SELECT FROM pg_locks WHERE NOT granted")
            return cursor.rowcount > 0

        await until(waits)
        astray.clock.move(-HOUR)
        with pytest.raises((TenantMoving, ClusterError)) as refused:
            await asyncio.wait_for(writing, 60)
        tell(f"refused after {time.monotonic() - begun:.1f} s: {refused.value}")
        await holder.execute("ROLLBACK")
        await data.tenants.write(tenant, insert(uuid_utils.uuid7()))


@pytest.mark.parametrize("fleet_astray", ["shard"], indirect=True)
async def test_the_doctor_tells_of_it(fleet_astray: Fleet, astray: Astray) -> None:
    async with fleet_astray.opened("docshard_admin") as data:
        await data.registry.refresh()
        astray.clock.move(HOUR)
        found = (await doctor.examine(data)).findings
    assert any("clock" in one.what for one in found), found


async def claim(at: Desk) -> Claimed | None:
    async with at.data.global_db.write() as connection:
        return await move_claims.claim(connection, "a test", _LEASE_SECONDS, COPYING)


async def fail(at: Desk, claimed: Claimed) -> None:
    async with at.data.global_db.write() as connection:
        await move_claims.fail(connection, claimed.move, Failure("no", _LEASE_SECONDS))


@pytest.mark.parametrize("fleet_astray", ["global"], indirect=True)
async def test_a_clock_that_is_set_back_keeps_no_move_from_being_run(
    at: Desk, astray: Astray
) -> None:
    """Whoever died, or failed, while it was ahead is followed at once and not in an hour."""
    await at.order({await at.fleet.tenant(): 1})
    astray.clock.move(HOUR)
    died = await claim(at)
    assert died is not None
    assert await claim(at) is None
    astray.clock.move(0)
    failed = await claim(at)
    assert failed is not None
    assert failed.move.generation == died.move.generation + 1
    astray.clock.move(HOUR)
    failed = await claim(at)  # its lease has ended, too
    assert failed is not None
    await fail(at, failed)
    assert await claim(at) is None
    astray.clock.move(0)
    assert await claim(at) is not None


@pytest.mark.parametrize("fleet_astray", ["global"], indirect=True)
async def test_nobody_is_locked_out_for_an_hour(
    fleet_astray: Fleet, astray: Astray, tmp_path: Path
) -> None:
    create_key_file(tmp_path / "key")
    settings = settings_for(
        fleet_astray.global_db, tmp_path / "key", longest_login_delay_seconds=60
    )
    async with serving(fleet_astray.global_db, settings) as service:
        user = await service.add_user("ada@example.org")
        session = await service.log_in(user)
        wrong, status = user.credentials | {"password": "wrong"}, 0
        astray.clock.move(HOUR)
        while status != httpx.codes.TOO_MANY_REQUESTS:
            status = (await service.post("/v1/auth/login", wrong)).status_code
        astray.clock.move(0)
        # One more is let through, whoever it is, and is counted by the new time.
        again = await service.log_in(user)
        for moved in (HOUR, -HOUR, 0):
            astray.clock.move(moved)
            body = {"refresh_token": again["refresh_token"]}
            answer = await service.post("/v1/auth/refresh", body)
            assert answer.status_code == httpx.codes.OK, answer.text
            again = answer.json()
            for bearer in (again["access_token"], session["access_token"]):
                assert await service.status(bearer) == httpx.codes.OK


@dataclass
class Jumps:
    """Sets the clock once, at the first statement of the mover in a state."""

    clock: Clock
    state: str
    moved: int
    done: list[str] = field(default_factory=list)

    async def told(self, run: Run, step: str, _done: bool) -> None:
        if not self.done and run.move.state == self.state:
            self.done.append(step)
            self.clock.move(self.moved)


async def moved_whatever_happens(at: Desk, ledger: Ledger, jumps: Sequence[Jumps]) -> int:
    """Move the tenants there or back for each jump; gives the epoch they are at in the end.

    A jump may cost a try: the next one meets none.
    """
    epoch, source, target = 1, "shard-1", "shard-2"
    for jump in jumps:
        while True:
            move = await at.order(ledger.at_epoch(epoch), source, target)
            async with at.runner(told=jump.told, rhythm=Rhythm(look=0.05)):
                ended = await at.reaches(move, "swept", "aborted", seconds=60)
                await at.ends(move, ended.state, seconds=60)
            epoch += 1 if ended.state == "swept" else 2
            if ended.state == "swept":
                break
        assert jump.done
        source, target = target, source
        await ledger.more_writes()
    return epoch


SOME = (("copying", HOUR), ("switched", 0))
STATES = ("planned", "copying", "catching_up", "verifying", "fenced", "switched")
EVERYWHERE = tuple((state, moved) for state in STATES for moved in (HOUR, 0))


@pytest.mark.parametrize(
    ("fleet_astray", "planned"),
    [
        pytest.param("global", SOME, id="global, some"),
        pytest.param("shard", SOME, id="shard, some"),
        pytest.param("global", EVERYWHERE, id="global, everywhere"),
        pytest.param("shard", EVERYWHERE, id="shard, everywhere"),
    ],
    indirect=["fleet_astray"],
)
async def test_moves_end_and_lose_nothing(
    at: Desk, astray: Astray, planned: Sequence[tuple[str, int]], tell: Tell
) -> None:
    """I1, I3, I6, whether the clock jumps forward or back."""
    jumps = [Jumps(astray.clock, state, moved) for state, moved in planned]
    async with at.fleet.data() as data:
        ledger = Ledger(at.fleet, data, [await at.fleet.tenant() for _ in range(2)])
        async with ledger.writers(TenantMoving, ClusterError):
            epoch = await moved_whatever_happens(at, ledger, jumps)
        await ledger.check("shard-1", epoch)
    assert await unsettled(at) == []
    tell(f"{len(jumps)} moves under jumps, at epoch {epoch} in the end")
