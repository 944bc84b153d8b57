"""Writers of every tenant, who go on whatever a history does besides.

Nobody is in a hurry but at a switch: from the last comparison until the source is left the writers
of the batch make no pause, and when its runner comes to the fence some stand in the doorway, with
transactions that lack only their COMMIT.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID, uuid4

from services.access.admission import TenantAccess
from services.fleet.moving import switch
from services.fleet.moving.run import Run
from services.resources import Resources
from services.tenant import documents
from services.tenant.document_state import NewDocument
from tests.faults.model.beliefs import ACTIVE, PREFIX, Tenant
from tests.faults.model.counting import Counter
from tests.faults.model.elsewhere import answered, lingering, seen
from tests.faults.model.stage import Stage
from tests.integration.desk import caller_of

# Machines have work left for the moves.
_CALM_SECONDS = 0.4
# Each step of a switch prolongs it.
_RUSH_SECONDS = 1.0
_IN_DOORWAY = 2
_LINGER_SECONDS = (0.1, 0.4, 1.0)
_ENTER_SECONDS = 0.5
FENCING = (switch.STEPS[0], False)
OVER = frozenset({("drop_forward", True), ("bring_back", False)})
_NEAR = frozenset({"verify", "link_chain", "approach", *switch.STEPS, *(step for step, _ in OVER)})


@dataclass
class _Rush:
    """A switch that is near: until when its tenant's writers hurry, and who waits for its end.

    `unheard`: the worker that nobody tells anything is not asked meanwhile, so that it does not
    learn at the fence either that the tenant moves.
    """

    until: float = 0.0
    unheard: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Crowd:
    """Several writers for each tenant. `faults` is what they met that ought not to be; `chance`
    chooses who asks which worker, and who lingers how long; `spares_deaf`: never the worker that
    nobody tells anything."""

    stage: Stage
    chance: random.Random
    faults: list[BaseException] = field(default_factory=list)
    spares_deaf: bool = False
    _tenants: dict[str, Tenant] = field(default_factory=dict)
    _rushes: dict[str, _Rush] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _stopping: bool = False

    async def join(self, tenant: Tenant) -> None:
        """Begin to write for a tenant."""
        self._tenants[tenant.id], self._rushes[tenant.id] = tenant, _Rush()
        counter = Counter(self.stage, tenant, partial(self._worker, tenant))
        for work in (self._send_twice, self._make, lambda _: counter.count()):
            self._begin(self._keep(tenant, work))

    async def end(self) -> None:
        """Let each write be answered that is under way."""
        self._stopping = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def leave(self) -> None:
        """End at once."""
        for task in self._tasks:
            task.cancel()
        await self.end()

    # At a switch

    async def told(self, run: Run, step: str, done: bool) -> None:
        """A runner comes to a step, in a thread of its own."""
        if step not in _NEAR:
            return
        clients = [client for client in map(str, run.batch.clients) if client in self._tenants]
        coming = self._come(clients, fencing=(step, done) == FENCING, left=(step, done) in OVER)
        future = asyncio.run_coroutine_threadsafe(coming, self.stage.grounds.loop)
        await asyncio.wrap_future(future)

    async def _come(self, clients: Iterable[str], *, fencing: bool, left: bool) -> None:
        for client in clients:
            rush, now = self._rushes[client], asyncio.get_running_loop().time()
            if now > rush.until:
                rush.unheard = self.chance.random() < 0.5
            rush.until = now + _RUSH_SECONDS
            rush.begun.set()
            if left:
                rush.unheard = False
                rush.over.set()
        if fencing and not self._stopping:
            await self._fill_doorway([self._tenants[client] for client in clients])

    async def _fill_doorway(self, tenants: Iterable[Tenant]) -> None:
        entered = []
        for tenant in tenants:
            self._rushes[tenant.id].over.clear()
            for _ in range(_IN_DOORWAY):
                entered.append(asyncio.Event())
                self._begin(self._linger(tenant, entered[-1]))
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENTER_SECONDS):
                for event in entered:
                    await event.wait()

    async def _linger(self, tenant: Tenant, entered: asyncio.Event) -> None:
        """A change that is not over when the fence comes: the fence waits, or it is refused."""
        over, seconds = self._rushes[tenant.id].over, self.chance.choice(_LINGER_SECONDS)

        async def linger() -> None:
            if not entered.is_set():
                self.stage.tally["writes in the doorway"] += 1
                entered.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await over.wait()

        if tenant.status == ACTIVE:
            await self._make_by(lingering(self._worker(tenant), linger), tenant)
        entered.set()

    # All the time

    def _begin(self, work: Awaitable[None]) -> None:
        async def watched() -> None:
            try:
                await work
            except Exception as error:
                self.faults.append(error)

        task = asyncio.create_task(watched())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, tenant: Tenant, work: Callable[[Tenant], Awaitable[None]]) -> None:
        clock = asyncio.get_running_loop().time
        while not self._stopping:
            begun = clock()
            await work(tenant)
            await self._rest(self._rushes[tenant.id], clock() - begun)

    async def _rest(self, rush: _Rush, took: float) -> None:
        if asyncio.get_running_loop().time() < rush.until:
            # The mover's lines are served by the same loop.
            await asyncio.sleep(min(took, _CALM_SECONDS))
            return
        rush.begun.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CALM_SECONDS):
                await rush.begun.wait()

    def _worker(self, tenant: Tenant) -> Resources:
        """The service's, or the one that nobody tells anything."""
        rush, told = self._rushes[tenant.id], self.stage.service.resources
        unheard = rush.unheard and asyncio.get_running_loop().time() < rush.until
        if unheard or self.spares_deaf:
            return told
        return self.chance.choice((told, self.stage.deaf))

    async def _make(self, tenant: Tenant) -> None:
        if tenant.status == ACTIVE:
            await self._make_by(self._worker(tenant), tenant)

    async def _make_by(self, worker: Resources, tenant: Tenant) -> None:
        """A document (I1); sent again to another worker it is the same (I2); who has the token sees
        it anywhere."""
        access, name, key = caller_of(UUID(tenant.id)), self._new_name(tenant), uuid4().hex
        made = await self._made(worker, tenant, access, (name, key))
        if made is None:
            return
        self._acknowledged(tenant, name, made[0])
        again = await self._made(self._worker(tenant), tenant, access, (name, key))
        assert again is None or again[0] == made[0], f"{name} was made twice: {made}, {again}"
        shown = await seen(self._worker(tenant), tenant, UUID(made[0]), made[1])
        assert shown is None or shown.original_name == name, (tenant.number, name, shown)

    async def _made(
        self, worker: Resources, tenant: Tenant, access: TenantAccess, what: tuple[str, str]
    ) -> tuple[str, str] | None:
        name, key = what
        new = NewDocument(name, "text/plain", {})
        done = await answered(tenant, lambda: documents.create(worker, access, new, key))
        return None if done is None else (str(done.value.id), done.consistency_token)

    async def _send_twice(self, tenant: Tenant) -> None:
        """One document, sent twice at once: it is made once (I2), and seen by who has the token.
        Who is turned away from the beginning to the end makes none."""
        name, key = self._new_name(tenant), uuid4().hex
        body = {"original_name": name, "mime_type": "text/plain"}
        sent = {"json": body, "headers": {"Idempotency-Key": key}}
        refusals, barred = set(tenant.refused_with()), tenant.barred
        answers = await asyncio.gather(
            *(self.stage.insist(tenant.caller, "POST", tenant.path, **sent) for _ in range(2))
        )
        refusals |= set(tenant.refused_with())
        made = [answer for answer in answers if answer.status_code == 201]
        for answer in answers:
            assert answer.status_code in {201, *refusals}, (tenant.number, name, answer.text)
        assert not made or barred is None or barred != tenant.barred, (
            f"tenant {tenant.number} is {tenant.status}, and {name} was made"
        )
        ids = {answer.json()["id"] for answer in made}
        assert len(ids) <= 1, f"{name} was made twice: {ids}"
        if made:
            self._acknowledged(tenant, name, ids.pop())
            await self._look(tenant, name, made[0].headers["Consistency-Token"])

    async def _look(self, tenant: Tenant, name: str, token: str) -> None:
        path, headers = f"{tenant.path}/{tenant.crowd[name]}", {"Consistency-Token": token}
        refusals = set(tenant.refused_with())
        answer = await self.stage.ask(tenant.caller, "GET", path, headers=headers)
        refusals |= set(tenant.refused_with())
        if answer.status_code == 200:
            assert answer.json()["original_name"] == name
        else:
            assert answer.status_code in refusals, (tenant.number, name, answer.text)

    def _new_name(self, tenant: Tenant) -> str:
        name = f"{PREFIX}{next(self.stage.numbers)}"
        tenant.sent.add(name)
        return name

    def _acknowledged(self, tenant: Tenant, name: str, document: str) -> None:
        tenant.crowd[name] = document
        self.stage.tally["writes acknowledged"] += 1
