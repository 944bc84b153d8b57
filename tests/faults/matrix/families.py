"""What befalls a fleet while a runner stands at a point of its move.

A family strikes while the runner is held. Then the runner is let go, if it still can, another one
is at work as well, and the family mends what it broke.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from services.errors import Conflict
from services.fleet import moves
from services.fleet.moving.runner import Rhythm
from tests.faults.matrix.checks import open_elsewhere
from tests.faults.matrix.links import Kind
from tests.faults.matrix.play import Play
from tests.faults.matrix.points import points
from tests.faults.matrix.runners import QUICK
from tests.faults.matrix.stands import GuardedStand, Stand


class Family(ABC):
    """A kind of fault. Its name is part of every case's."""

    name: str
    rhythm: Rhythm = QUICK
    """Of the runner that is held."""
    by_links = False
    """Whether lines are to be cut."""
    guarded = False
    """Whether shards need standbys."""

    @abstractmethod
    async def strike(self, play: Play) -> None:
        """The runner is held."""

    async def mend(self, _play: Play) -> None:
        """The runner was let go."""
        return


class RunnerKilled(Family):
    name = "runner_killed"

    async def strike(self, play: Play) -> None:
        await play.first.kill()


class RunnerFrozen(Family):
    """It sleeps past its lease, another one takes over, and then it goes on as if nothing was."""

    name = "runner_frozen"

    async def strike(self, play: Play) -> None:
        play.first.freeze()

    async def mend(self, play: Play) -> None:
        try:
            await play.taken_over()
        finally:
            play.first.thaw()


class TwoRunners(Family):
    """Another one takes over while the first is held, and the first finds out by refusals alone."""

    name = "two_runners"
    rhythm = Rhythm(lease=30.0, heartbeat=25.0, doubt=29.0, look=0.15)

    async def strike(self, play: Play) -> None:
        await play.second_runs()
        await play.lease_ends()
        await play.taken_over()


class Cancelled(Family):
    """An operator wants it aborted: before the switch it is, behind it that is refused."""

    name = "cancelled"

    async def strike(self, play: Play) -> None:
        before = await play.move()
        try:
            await moves.abort(play.world.operator, play.move_id, "a test")
        except Conflict:
            assert before.state in ("switched", "swept", "aborted"), before
        else:
            # From the fence on the runner hears nothing more until the switch is over.
            play.wish = None if before.state == "fenced" else "abort"


class GlobalRestarted(Family):
    name = "global_restarted"

    async def strike(self, play: Play) -> None:
        await play.world.catalog.crash()

    async def mend(self, play: Play) -> None:
        await play.world.catalog.start()


class SourceKilled(Family):
    name = "source_killed"

    async def strike(self, play: Play) -> None:
        await play.source.kill()

    async def mend(self, play: Play) -> None:
        await play.source.start()


class TargetKilled(Family):
    name = "target_killed"

    async def strike(self, play: Play) -> None:
        await play.target.kill()

    async def mend(self, play: Play) -> None:
        await play.target.start()


class Promoted(Family):
    """A shard's primary is killed and its synchronous standby takes over.

    The dead one comes back as the standby once the runner goes on: until then nothing can switch.
    """

    guarded = True

    @abstractmethod
    def struck(self, play: Play) -> Stand:
        """Which shard's."""

    async def strike(self, play: Play) -> None:
        stand = self._guarded(play)
        await stand.fail_over()
        if wrong := await open_elsewhere(play.world, stand):
            raise AssertionError(f"{stand.name} was promoted without a fence: {wrong}")

    async def mend(self, play: Play) -> None:
        await self._guarded(play).rejoin()

    def _guarded(self, play: Play) -> GuardedStand:
        stand = self.struck(play)
        assert isinstance(stand, GuardedStand)
        return stand


class SourcePromoted(Promoted):
    name = "source_promoted"

    def struck(self, play: Play) -> Stand:
        return play.source


class TargetPromoted(Promoted):
    name = "target_promoted"

    def struck(self, play: Play) -> Stand:
        return play.target


class LineCut(Family):
    """By turns the runner's line to the source, its line to the target, and the servers' own."""

    name = "line_cut"
    by_links = True

    async def strike(self, play: Play) -> None:
        turn = points().index(play.point) % 3
        if turn == 0:
            play.source.links.cut(Kind.RUNNER)
        elif turn == 1:
            play.target.links.cut(Kind.RUNNER)
        else:
            for one in (play.source, play.target):
                one.links.cut(Kind.SUBSCRIPTION)

    async def mend(self, play: Play) -> None:
        for one in (play.source, play.target):
            one.links.mend()


FAMILIES: tuple[Family, ...] = (
    RunnerKilled(),
    SourceKilled(),
    RunnerFrozen(),
    TargetKilled(),
    TwoRunners(),
    GlobalRestarted(),
    LineCut(),
    Cancelled(),
    SourcePromoted(),
    TargetPromoted(),
)
