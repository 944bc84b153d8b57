"""Tenants of a throwaway fleet, and who makes them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from docshard_client import Docshard
from loadtests.target import Target

_SCOPES = ("document:read", "document:write")


@dataclass(frozen=True, slots=True)
class Tenant:
    """One whose caller asks for its documents."""

    client_id: UUID
    key: str
    documents: Sequence[UUID]

    @property
    def path(self) -> str:
        """Where its documents are."""
        return f"/v1/clients/{self.client_id}/documents"


@contextmanager
def administrator(target: Target) -> Iterator[Docshard]:
    """The API, as the fleet's administrator."""
    with Docshard(target.api) as api:
        api.login(target.email, target.password)
        yield api


def new_tenants(target: Target, number: int, name: str = "bench") -> dict[UUID, str]:
    """New clients, and a key of each: limits are per client and per key."""
    with administrator(target) as api:
        made = [api.create_client(f"{name}-{number}-{n}", "a tenant") for n in range(number)]
        return {one.id: api.create_api_key(one.id, "bench", _SCOPES).key for one in made}
