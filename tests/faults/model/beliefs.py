"""What ought to be so of tenants and shards: a model in memory, written from the contract alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from tests.integration.document_model import Document

ACTIVE, SUSPENDED, DELETED = "active", "suspended", "deleted"
PREFIX = "crowd-"
"""Of names of documents that writers make beside all else."""
REFUSALS: Mapping[str, Collection[int]] = {ACTIVE: (), SUSPENDED: (403,), DELETED: (401, 404)}
"""What callers of a tenant are told while it is in this state."""


@dataclass(frozen=True)
class Creation:
    """A document that was made under an Idempotency-Key, and what was answered."""

    key: str
    body: Mapping[str, Any]
    answer: Mapping[str, Any]


@dataclass(eq=False)
class Count:
    """A document whose metadata say how often it was changed, as far as was acknowledged."""

    document: UUID
    number: int = 0


@dataclass(eq=False)
class Tenant:
    """One client of the service. `changing`: an operator is about to give it another status, so
    that its callers may be told of either."""

    number: int
    id: str
    caller: httpx.AsyncClient
    status: str = ACTIVE
    changing: bool = False
    turns: int = 0
    """How often its status has changed."""
    documents: list[Document] = field(default_factory=list)
    creations: list[Creation] = field(default_factory=list)
    crowd: dict[str, str] = field(default_factory=dict)
    """Documents that its writers made beside all else: names, and the ids that were answered."""
    sent: set[str] = field(default_factory=set)
    """Names that its writers have sent, answered or not."""
    counts: list[Count] = field(default_factory=list)
    token: str | None = None
    """What the last answered write promises to later reads."""
    pinned_to: frozenset[str] | None = None
    """Where it may be found while it is pinned; None: it is not."""
    epoch: int = 1

    @property
    def path(self) -> str:
        """Where its documents are."""
        return f"/v1/clients/{self.id}/documents"

    @property
    def barred(self) -> int | None:
        """None when some caller may be let in now; otherwise another number each time."""
        return None if self.changing or self.status == ACTIVE else self.turns

    def refused_with(self) -> Collection[int]:
        """Statuses of answers that refuse its callers at present."""
        if self.changing:
            return {*REFUSALS[SUSPENDED], *REFUSALS[DELETED]}
        return REFUSALS[self.status]


@dataclass(frozen=True)
class Placement:
    """The directory's word of a tenant."""

    shard: str
    epoch: int
    pinned: bool
    status: str


@dataclass
class Beliefs:
    """What the fleet has to be like."""

    tenants: list[Tenant] = field(default_factory=list)
    draining: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def check_newcomer(self, shard: str) -> None:
        """Who is admitted lands on a shard that takes clients."""
        assert shard not in self.draining | self.removed, f"somebody new landed on {shard}"

    def check_placement(self, tenant: Tenant, found: Placement) -> None:
        """A pin and a status hold, an epoch never goes back, nobody lives on a shard that has
        left."""
        assert found.shard not in self.removed, (tenant.number, found)
        assert found.epoch >= tenant.epoch, (tenant.number, tenant.epoch, found)
        assert found.status == tenant.status, (tenant.number, tenant.status, found)
        assert found.pinned == (tenant.pinned_to is not None), (tenant.number, found)
        if tenant.pinned_to is not None:
            assert found.shard in tenant.pinned_to, (tenant.number, tenant.pinned_to, found)
        tenant.epoch = found.epoch
