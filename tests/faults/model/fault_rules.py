"""What goes wrong: by itself, or in wait for a move at one of its steps."""

from __future__ import annotations

from hypothesis import strategies as st

from services.fleet.moving import switch
from tests.faults.model.ambush import ALL_STEPS, DRAWN, Ambush
from tests.faults.model.machine import MOST_TENANTS, WHICH, HistoryMachine, noted, nth, step
from tests.faults.model.operator_rules import LIVING
from tests.faults.model.stage import GLOBAL
from tests.integration.frames import COMMIT, Fault, How
from tests.integration.waiting import until

_ON_SECONDS = 5.0
DIRECTORY = MOST_TENANTS
CLUSTER = st.integers(0, DIRECTORY)
# Half of them at the switch, which is short.
_STEPS = st.sampled_from([*ALL_STEPS, *switch.STEPS * (len(ALL_STEPS) // len(switch.STEPS))])
CUTS = st.sampled_from([How.BEFORE.name, How.AFTER.name])


class FaultRules(HistoryMachine):
    """Faults, and time that passes."""

    @step(worker=WHICH)
    def kill_runner(self, worker: int) -> None:
        if (found := nth(worker, self.crew.workers)) is not None:
            self.crew.replace(found)

    @step(worker=WHICH)
    def freeze_runner(self, worker: int) -> None:
        if (found := nth(worker, self.crew.workers)) is not None:
            self.crew.freeze(found)

    @noted
    def freeze_all(self) -> None:
        """Every runner: what is ordered now does not begin before they are thawed."""
        for worker in self.crew.workers:
            worker.freeze()

    @noted
    def spare_deaf(self, *, spared: bool) -> None:
        """The worker that hears nothing is not asked either, so that no fence tells it of a move;
        or it is again, and believes what it knew."""
        self.crowd.spares_deaf = spared

    @step()
    def thaw_runners(self) -> None:
        self.crew.thaw()

    @step(tenant=WHICH)
    def restart_server(self, tenant: int) -> None:
        """Where this one lives; at once."""
        self.stage.restart(self.home(self.tenant(tenant)))

    @step(cluster=CLUSTER)
    def cut(self, cluster: int) -> None:
        """Every connection to a cluster ends in the middle."""
        name = self.cluster(cluster)
        self.stage.grounds.loop.call_soon_threadsafe(self.stage.wires[name].cut)

    @step()
    def directory_away(self) -> None:
        """The global database cannot be reached for a second; all else goes on meanwhile."""
        self.stage.begin(self.stage.go_away(GLOBAL, 1.0))

    @step(tenant=WHICH)
    def shard_away(self, tenant: int) -> None:
        self.stage.begin(self.stage.go_away(self.home(self.tenant(tenant)), 1.0))

    @step(cluster=CLUSTER, how=CUTS, at=st.integers(1, 3))
    def cut_commit(self, cluster: int, how: str, at: int) -> None:
        """The connection that sends this COMMIT is cut, before or behind it, whoever it is."""
        self.stage.wires[self.cluster(cluster)].fault = Fault(How[how], at, COMMIT)

    @step(tenant=WHICH, milliseconds=st.sampled_from([0, 50, 150]))
    def lag(self, tenant: int, milliseconds: int) -> None:
        """What is written where this one lives reaches other shards later, or sooner."""
        self.stage.wires[self.home(self.tenant(tenant))].stream_lag = milliseconds / 1000

    @step(at=_STEPS, done=st.booleans(), deed=st.sampled_from(DRAWN))
    def ambush(self, at: str, done: bool, deed: str) -> None:
        self.ambushes.lay(Ambush(at, done, deed))

    @step(steps=st.integers(1, 20))
    def go_on(self, steps: int) -> None:
        """Moves go on by so many steps, if they can."""
        before, deadline = self.ambushes.steps, self.stage.grounds.loop.time() + _ON_SECONDS

        async def gone_on() -> bool:
            if self.stage.grounds.loop.time() > deadline:
                return True
            return self.ambushes.steps >= before + steps

        if any(move["state"] in LIVING[:-1] for move in self.stage.moves()):
            self.stage.run(until(gone_on, 2 * _ON_SECONDS))

    def cluster(self, number: int) -> str:
        """Where that tenant lives, or the directory."""
        return GLOBAL if number == DIRECTORY else self.home(self.tenant(number))
