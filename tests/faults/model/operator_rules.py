"""What operators do to shards, tenants and moves, and what must be so behind it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

import httpx
from hypothesis import strategies as st

from global_db.errors import ClusterError
from services.errors import ServiceError, TemporaryError
from services.fleet import (
    drains,
    migrate,
    moves,
    moves_by_hand,
    rebalances,
    shard_remove,
    shards,
)
from services.fleet.planning import Goal, make_plan
from services.fleet.rebalances import RunLimits
from services.fleet.unmet import Unmet
from tests.faults.model.beliefs import ACTIVE, DELETED, REFUSALS, SUSPENDED, Tenant
from tests.faults.model.machine import MOST_TENANTS, WHICH, HistoryMachine, nth, step
from tests.integration.waiting import until

T = TypeVar("T")
LIMITS = RunLimits()
LIVING = ("planned", "copying", "catching_up", "verifying", "fenced", "switched")
_HEARD_SECONDS = 15.0


class OperatorRules(HistoryMachine):
    """Orders. One that is refused or gets no answer is looked into, as people do."""

    def order(self, name: str, work: Coroutine[Any, Any, T]) -> T | None:
        """Give an order; None when it was refused or nobody knows."""
        try:
            result = self.stage.run(work)
        except (ServiceError, Unmet) as error:
            self.tally[f"{name}: {type(error).__name__}"] += 1
            return None
        self.tally[f"{name}: done"] += 1
        return result

    # Moves

    @step(tenants=st.sets(st.integers(0, MOST_TENANTS - 1), min_size=1, max_size=3), to=WHICH)
    def move(self, tenants: set[int], to: int) -> None:
        self.move_them([self.tenant(one).id for one in sorted(tenants)], to)

    @step(to=WHICH)
    def scatter(self, to: int) -> None:
        """Everybody by himself, all at a time."""
        for n, tenant in enumerate(self.beliefs.tenants):
            self.move_them([tenant.id], to + n)

    def move_them(self, wanted: list[str], to: int) -> None:
        """To a shard that is not the first one's."""
        placed = self.stage.placements()
        target = nth(to, sorted(self.stage.shards.keys() - {placed[wanted[0]].shard}))
        if target is None:
            return
        names = [one for one in dict.fromkeys(wanted) if placed[one].shard != target]

        async def work() -> object:
            batches = await moves_by_hand.plan_by_hand(self.stage.operator, names, target)
            return await moves_by_hand.create(self.stage.operator, batches, None)

        self.order("move", work())

    @step(which=WHICH)
    def abort(self, which: int) -> None:
        if (move_id := self.some_move(which)) is not None:
            self.order("abort", moves.abort(self.stage.operator, move_id, None))

    @step(which=WHICH)
    def reverse(self, which: int) -> None:
        if (move_id := self.some_move(which)) is not None:
            self.order("reverse", moves.reverse(self.stage.operator, move_id, None))

    @step(which=WHICH)
    def retry(self, which: int) -> None:
        if (move_id := self.some_move(which)) is not None:
            self.order("retry", moves.retry(self.stage.operator, move_id, None))

    @step()
    def hasten(self) -> None:
        """Graces end, as time would end them."""
        self.end_graces()

    def end_graces(self) -> None:
        """All of them."""
        self.stage.directory(
            "UPDATE docshard.moves SET sweep_after = now(), not_before = least(not_before, now())"
            " WHERE state = 'switched'"
        )

    def some_move(self, which: int) -> UUID | None:
        """One of the last."""
        found = nth(which, self.stage.moves())
        return None if found is None else found["id"]

    # Rebalances

    @step()
    def rebalance(self) -> None:
        async def work() -> object:
            plan = await make_plan(self.stage.operator, Goal.RING)
            return await rebalances.start(self.stage.operator, plan, LIMITS, None)

        self.order("rebalance", work())

    @step(verb=st.sampled_from(["pause", "resume", "resume", "stop"]))
    def steer(self, verb: str) -> None:
        """The rebalance that is under way."""
        verbs = {"pause": rebalances.pause, "resume": rebalances.resume, "stop": rebalances.stop}
        self.order(verb, verbs[verb](self.stage.operator, None))

    # Shards

    @step()
    def add(self) -> None:
        """An empty server becomes a shard."""
        if self.stage.spare:
            self.stage.run(self.insisted(self.stage.new_shard(self.stage.spare.pop())))

    async def insisted(self, name: str) -> None:
        """Registering has one effect however often it is done."""
        await self.settled(lambda: self.stage.register(name))

    @step(tenant=WHICH)
    def drain(self, tenant: int) -> None:
        """Where this one lives; from the answer on nobody new comes there."""
        name = self.home(self.tenant(tenant))
        self.order("drain", drains.drain(self.stage.operator, name, LIMITS, None))
        self.look_at_shards()

    @step(which=WHICH)
    def undrain(self, which: int) -> None:
        name = nth(which, sorted(self.beliefs.draining))
        if name is not None:
            self.order("undrain", drains.cancel(self.stage.operator, name, None))
            self.look_at_shards()

    @step(which=WHICH)
    def remove(self, which: int) -> None:
        """Only who is empty goes; I1: nobody's rows go with it."""
        name = nth(which, sorted(self.beliefs.draining or self.stage.shards))
        assert name is not None
        self.order("remove", shard_remove.remove(self.stage.operator, self.stage.mover, name, None))
        self.look_at_shards()
        if name in self.beliefs.removed:
            rows = self.stage.rows(
                self.stage.shards[name],
                "SELECT client_id FROM docshard.residency WHERE state <> 'gone'"
                " UNION ALL SELECT client_id FROM docshard.documents",
            )
            assert rows == [], rows
            placed = {found.shard for found in self.stage.placements().values()}
            assert name not in placed
            del self.stage.shards[name]

    def look_at_shards(self) -> None:
        """Believe what the directory says of shards, once nobody changes it any more."""
        found = self.stage.shard_states()
        self.beliefs.draining = {name for name, state in found.items() if state == "draining"}
        self.beliefs.removed = {name for name, state in found.items() if state == "removed"}

    @step()
    def migrate(self) -> None:
        """Once more, on the whole fleet, whatever moves there: nothing is left to be done."""
        for done in self.order("migrate", migrate.up(self.stage.operator)) or ():
            assert done.error is not None or done.before == done.after, done

    # Tenants

    @step()
    def admit_one(self) -> None:
        if len(self.beliefs.tenants) < MOST_TENANTS:
            self.admit()

    @step(tenant=WHICH, pinned=st.booleans())
    def pin(self, tenant: int, pinned: bool) -> None:
        """Where it is, or where a move brings it that has begun before; or not any more."""
        self.hold(self.tenant(tenant), pinned=pinned)

    def hold(self, at: Tenant, *, pinned: bool) -> None:
        """Pin it or release it."""
        if at.status == DELETED or pinned == (at.pinned_to is not None):
            return
        self.set_pin(at, pinned=pinned)
        here = self.stage.placements()[at.id].shard
        moving = [move for move in self.stage.moves() if at.id in move["clients"] and _runs(move)]
        ends = {end for move in moving for end in (move["source"], move["target"])}
        at.pinned_to = frozenset({here, *ends}) if pinned else None

    @step(tenant=WHICH, to=WHICH)
    def move_and_pin(self, tenant: int, to: int) -> None:
        """Who is pinned before the move begins stays."""
        at = self.tenant(tenant)
        self.move_them([at.id], to)
        self.hold(at, pinned=True)

    def set_pin(self, at: Tenant, *, pinned: bool) -> None:
        """Until it is answered: it has one effect however often it is said."""
        self.stage.run(
            self.settled(
                lambda: shards.set_pin(self.stage.operator, at.id, pinned=pinned, reason=None)
            )
        )

    async def settled(self, work: Any) -> None:
        """Say it until it is answered."""

        async def answered() -> bool:
            try:
                await work()
            except (TemporaryError, ClusterError):
                return False
            return True

        await until(answered, 60)

    @step(tenant=WHICH, status=st.sampled_from([ACTIVE, ACTIVE, SUSPENDED, DELETED]))
    def stand(self, tenant: int, status: str) -> None:
        """Another status; who is deleted keeps his data, and moves as anybody."""
        self.become(self.tenant(tenant), status)

    @step(tenant=WHICH, to=WHICH, status=st.sampled_from([SUSPENDED, DELETED]))
    def move_and_stand(self, tenant: int, to: int, status: str) -> None:
        """Another status while it is on the move: the move does not change it."""
        at = self.tenant(tenant)
        self.move_them([at.id], to)
        self.become(at, status)

    def become(self, at: Tenant, status: str) -> None:
        """Give a tenant a status, and wait until its callers hear of it."""
        if at.status == status:
            return
        at.changing = True
        path = f"/v1/clients/{at.id}"
        if at.status == DELETED:
            self.tell(at, "POST", f"{path}/restore", done_already=409)
        if status == DELETED:
            self.tell(at, "DELETE", path, done_already=404)
        else:
            self.tell(at, "PATCH", path, json={"status": status})
        at.status, at.turns = status, at.turns + 1
        self.stage.run(until(lambda: self.heard(at), _HEARD_SECONDS))
        at.changing = False

    def tell(
        self, at: Tenant, method: str, path: str, *, done_already: int = 200, **sent: Any
    ) -> httpx.Response:
        """An administrator's word, until it is answered."""
        answer = self.stage.run(self.stage.insist(self.stage.admin, method, path, **sent))
        assert answer.is_success or answer.status_code == done_already, (at.number, answer.text)
        return answer

    async def heard(self, at: Tenant) -> bool:
        """Whether callers are answered as the status wants it."""
        answer = await self.stage.ask(at.caller, "GET", f"{at.path}?limit=1")
        return answer.status_code in (REFUSALS[at.status] or {200})


def _runs(move: dict[str, Any]) -> bool:
    return move["state"] in LIVING and move["generation"] > 0
