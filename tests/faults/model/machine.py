"""How a history is played: each step is noted as code, done by the fleet and by the model.

A step's arguments are plain values, drawn from a description alone; what is meant by a number is
found in the model ("the third document of the second tenant"). So a history that failed stands in
the log as code that can be played again, whatever its moves were doing at the time.
"""

from __future__ import annotations

import functools
import logging
import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar, TypeVar

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from services.fleet.moving.run import Run
from tests.faults.model.ambush import Ambushes
from tests.faults.model.beliefs import ACTIVE, Beliefs, Tenant
from tests.faults.model.crew import Crew, Worker
from tests.faults.model.crowd import Crowd
from tests.faults.model.grounds import Grounds
from tests.faults.model.opening import stage
from tests.faults.model.plants import SOUND, Plant
from tests.faults.model.stage import GLOBAL, Stage

_log = logging.getLogger(__name__)

T = TypeVar("T")
FIRST_TENANTS, MOST_TENANTS = 4, 8
WHICH = st.integers(0, 7)
"""Which of those that there are; counted around."""


def noted(act: Callable[..., None]) -> Callable[..., None]:
    """A step that is noted before it is done, and behind which all has to agree. By itself it is
    never drawn: it stands in histories that are told."""

    @functools.wraps(act)
    def made(self: HistoryMachine, **given: Any) -> None:
        self.note(act.__name__, given)
        self.telling(lambda: act(self, **given))

    return made


def step(**drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """Such a step that is drawn as well."""

    def made(act: Callable[..., None]) -> Any:
        ruled: Any = rule(**drawn)  # type: ignore[call-overload]  # no bundles among them
        return precondition(lambda self: bool(self.told))(ruled(noted(act)))

    return made


def nth(number: int, among: list[T]) -> T | None:
    """That one, counted around; None of nothing."""
    return among[number % len(among)] if among else None


class HistoryMachine(RuleBasedStateMachine):
    """A fleet, its operators, tenants and faults."""

    grounds: ClassVar[Grounds]
    tally: ClassVar[Counter[str]]
    plant: ClassVar[Plant] = SOUND

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.broken = False
        self.beliefs = Beliefs()
        self.held = ExitStack()

    @initialize(lively=st.integers(0, 2**16))
    def begin(self, lively: int) -> None:
        """A fleet and its first tenants. Hypothesis begins with the least of everything: that
        history, of 0, is not played."""
        if lively:
            self.note("begin", {"lively": lively})
            self.telling(lambda: self.set_up(lively))

    @precondition(lambda self: not self.told)
    @rule()
    def nothing(self) -> None:
        """The step of a history that is not played."""

    def set_up(self, lively: int) -> None:
        """`lively` chooses what no step says."""
        self.stage: Stage = self.held.enter_context(stage(self.grounds, self.tally, self.plant))
        self.ambushes = Ambushes(self.stage)
        wire = self.stage.wires[GLOBAL].address
        self.crowd = Crowd(self.stage, random.Random(lively))
        self.crew = Crew(self.stage.fleet, wire, self.met)
        self.ambushes.crew = self.crew
        self.held.callback(self.crew.dismiss)
        self.held.callback(lambda: self.stage.run(self.crowd.leave()))
        for _ in range(2):
            self.crew.engage()
        for _ in range(FIRST_TENANTS):
            self.admit()

    async def met(self, worker: Worker, run: Run, step: str, done: bool) -> None:
        """A runner comes to a step, in its own thread."""
        await self.crowd.told(run, step, done)
        await self.ambushes.met(worker, run, step, done)

    def admit(self) -> Tenant:
        """One tenant more."""
        tenant = self.stage.run(self.stage.admitted(len(self.beliefs.tenants)))
        self.beliefs.tenants.append(tenant)
        self.beliefs.check_newcomer(self.stage.placements()[tenant.id].shard)
        self.stage.run(self.crowd.join(tenant))
        return tenant

    def note(self, name: str, given: dict[str, Any]) -> None:
        """Write a step down, as it may be played again."""
        arguments = ", ".join(f"{key}={value!r}" for key, value in given.items())
        self.told.append(f"{name}({arguments})")
        self.tally["steps"] += 1
        self.tally[f"step {name}"] += 1

    def telling(self, act: Callable[[], None]) -> None:
        """Do it; a failure is told with all that led to it, since moves are not played alike."""
        try:
            act()
            self.agree()
        except BaseException:
            self.broken = True
            _log.exception("this history failed:\n%s", self.story())
            raise

    def story(self) -> str:
        """The history as code, and what its moves came to."""
        moves = [] if not hasattr(self, "stage") else self.stage.moves()
        return "\n".join([*self.told, *(f"# {move}" for move in reversed(moves))])

    def agree(self) -> None:
        """What is so behind every step."""
        self.hear()
        found = self.stage.placements()
        for tenant in self.beliefs.tenants:
            self.beliefs.check_placement(tenant, found[tenant.id])
        self.one_owner()

    def hear(self) -> None:
        """Fail for what was met beside the steps."""
        if faults := [*self.crowd.faults, *self.ambushes.faults]:
            raise faults[0]

    def one_owner(self) -> None:
        """I3, I6: nobody is open on two shards. Shards are asked in turn: what they say of a moment
        is believed when they say it twice."""
        first, second = self.stage.residencies(), self.stage.residencies()
        for tenant in self.beliefs.tenants:
            both = [
                {
                    shard: epoch
                    for shard, (epoch, state) in seen.get(tenant.id, {}).items()
                    if state == "open"
                }
                for seen in (first, second)
            ]
            assert len(both[0]) < 2 or both[0] != both[1], (tenant.number, both)

    # What steps are made of

    def tenant(self, number: int) -> Tenant:
        """One of them."""
        return self.beliefs.tenants[number % len(self.beliefs.tenants)]

    def home(self, tenant: Tenant) -> str:
        """Where it lives. Which shard that is the ring decides, by ids that are new each time: so
        steps name a shard by who is there."""
        return self.stage.placements()[tenant.id].shard

    def ask(self, tenant: Tenant, method: str, below: str = "", **sent: Any) -> httpx.Response:
        """One request of a tenant."""
        path = f"{tenant.path}{below}"
        return self.stage.run(self.stage.ask(tenant.caller, method, path, **sent))

    def turned_away(self, tenant: Tenant, answer: httpx.Response) -> bool:
        """Whether the tenant's callers are refused at present: then this one must be."""
        if tenant.status == ACTIVE:
            return False
        assert answer.status_code in tenant.refused_with(), (tenant.status, answer.text)
        return True

    def teardown(self) -> None:
        try:
            if self.told and not self.broken:
                self.note("close", {})
                self.telling(self.close)
                self.tally["histories"] += 1
        finally:
            self.held.close()

    def close(self) -> None:
        """Everything ends well."""
