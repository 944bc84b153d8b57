"""What befalls a run of a move at one of its steps."""

from abc import ABC, abstractmethod
from uuid import UUID

from services.fleet.moving.run import Run


class Hook(ABC):
    """Does something once, when a move comes to a step."""

    def __init__(self, step: str, move_id: UUID | None = None, *, done: bool = False) -> None:
        self.at = (step, done)
        self.move_id = move_id
        self.used = False

    async def __call__(self, run: Run, step: str, done: bool) -> None:
        if (step, done) == self.at and not self.used and self.move_id in (None, run.move.id):
            self.used = True
            await self.act(run)

    @abstractmethod
    async def act(self, run: Run) -> None:
        """What befalls the run there."""
