"""Which request a line is about: the edge says it, and every line of that task carries it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID


@dataclass(slots=True)
class About:
    """The request that runs, and the tenant it was admitted to, if any."""

    request_id: str
    client_id: UUID | None = None


_about: ContextVar[About | None] = ContextVar("about", default=None)


def speak_of(about: About) -> None:
    """Let what this task logs from now on say which request it is about."""
    _about.set(about)


def spoken_of() -> About | None:
    """The request that this task works for, if any."""
    return _about.get()
