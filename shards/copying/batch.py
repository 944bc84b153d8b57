"""Who moves what: values that every step of a move takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

_NAME = re.compile(r"docshard_move_([0-9a-f]{32})(_back)?")

Gate = Callable[[int, int], Awaitable[None]]
"""Awaited about every MiB with the rows and bytes done since the last time.

It may wait (throttle, pause) and it may raise, which ends the step."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A publication, its slot and its subscription: all three have one name.

    `back`: the way back of the move `move_id`, from its target to its source.
    """

    move_id: UUID
    back: bool = False

    @property
    def name(self) -> str:
        """`docshard_move_<32 hex digits>`, with `_back` behind the way back's."""
        return f"docshard_move_{self.move_id.hex}{'_back' if self.back else ''}"

    @classmethod
    def named(cls, name: str) -> Stream | None:
        """The stream of that name; None for a name that is no mover's."""
        found = _NAME.fullmatch(name)
        return None if found is None else cls(UUID(found[1]), found[2] is not None)


@dataclass(frozen=True, slots=True)
class Mover:
    """Whoever runs the move now: the `generation` of its lease.

    A move that `reverses` another one has no stream of its own: it is fed by that one's way back,
    whose names `forward` then has.
    """

    move_id: UUID
    generation: int
    reverses: UUID | None = None

    @property
    def application(self) -> str:
        """What its sessions are called on the servers."""
        return f"docshard-move-{self.move_id.hex}-{self.generation}"

    @property
    def forward(self) -> Stream:
        """The stream from source to target."""
        if self.reverses is not None:
            return Stream(self.reverses, back=True)
        return Stream(self.move_id)

    def stream(self, *, back: bool) -> Stream:
        """The stream from source to target, or the way back."""
        return Stream(self.move_id, back=True) if back else self.forward


@dataclass(frozen=True, slots=True)
class Portions:
    """In what portions a batch is gone through: rows of one COPY, of one comparison and of one
    deletion; and in how many readings a row must differ before it is wrong."""

    copied: int = 20_000
    compared: int = 10_000
    swept: int = 5_000
    readings: int = 20


@dataclass(frozen=True, slots=True)
class Batch:
    """The tenants of a move, by id, each with the epoch N at which it leaves the source.

    It arrives at N + 1; after an abort it goes on at N + 2, where it was.
    """

    clients: tuple[UUID, ...]
    epochs: Mapping[UUID, int]
    portions: Portions = Portions()

    @classmethod
    def of(cls, epochs: Mapping[UUID, int]) -> Batch:
        """The batch of these tenants."""
        return cls(tuple(sorted(epochs)), dict(epochs))

    def leaving(self) -> list[int]:
        """The epochs N in the order of `clients`."""
        return [self.epochs[client] for client in self.clients]
