"""Clients (tenants), where they live, and keys for their machines."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from docshard_client.call import Call, json_as, nothing
from docshard_client.model import Page
from docshard_client.models import ApiKey, Client, NewApiKey, Placement
from docshard_client.operation import operation, paged
from docshard_client.parameters import (
    KEEP,
    Keep,
    Metadata,
    changed,
    client_path,
    compact,
    instant,
    once,
    plain,
    present,
    query,
)


class Clients:
    """For those who run tenants, and for a tenant's own keys."""

    @operation
    def create_client(
        self,
        code: str,
        name: str,
        metadata: Metadata | None = None,
        *,
        managed_by: UUID | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Client]:
        """Create a tenant. Conflict `code_taken` when a living one has the code."""
        manager = None if managed_by is None else str(managed_by)
        body = present(code=code, name=name, metadata=plain(metadata), managed_by=manager)
        headers = once(idempotency_key)
        return Call("POST", "/v1/clients", json_as(Client), body=body, headers=headers)

    @operation
    def get_client(self, client_id: UUID) -> Call[Client]:
        """Read a tenant."""
        return Call("GET", client_path(client_id), json_as(Client))

    @operation
    def update_client(
        self,
        client_id: UUID,
        *,
        code: str | None = None,
        name: str | None = None,
        metadata: Metadata | None = None,
        status: str | None = None,
        managed_by: UUID | Keep | None = KEEP,
    ) -> Call[Client]:
        """Change a tenant. `metadata` is a JSON Merge Patch; `managed_by` None takes it away."""
        given = present(code=code, name=name, metadata=plain(metadata), status=status)
        body = given | changed(managed_by=managed_by)
        return Call("PATCH", client_path(client_id), json_as(Client), body=body)

    @operation
    def delete_client(self, client_id: UUID) -> Call[None]:
        """Delete a tenant softly."""
        return Call("DELETE", client_path(client_id), nothing)

    @operation
    def restore_client(self, client_id: UUID) -> Call[Client]:
        """Undo delete_client."""
        return Call("POST", f"{client_path(client_id)}/restore", json_as(Client))

    @paged
    def list_clients(
        self,
        *,
        code: str | None = None,
        status: str | None = None,
        metadata: Metadata | None = None,
        limit: int = 200,
    ) -> Call[Page[Client]]:
        """List tenants. `limit` is the size of a page; pages are fetched as they are needed."""
        params = query(code=code, status=status, metadata=compact(metadata), limit=limit)
        return Call("GET", "/v1/clients", json_as(Page[Client]), params=params)

    @operation
    def get_placement(self, client_id: UUID) -> Call[Placement]:
        """Where a tenant lives; for operators."""
        return Call("GET", f"{client_path(client_id)}/placement", json_as(Placement))

    @operation
    def create_api_key(
        self,
        client_id: UUID,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Call[NewApiKey]:
        """Make a key for machines. The secret is shown once, so a replay is a Conflict."""
        body = present(name=name, scopes=list(scopes), expires_at=instant(expires_at))
        path, headers = f"{client_path(client_id)}/api-keys", once(idempotency_key)
        return Call("POST", path, json_as(NewApiKey), body=body, headers=headers)

    @paged
    def list_api_keys(self, client_id: UUID, *, limit: int = 200) -> Call[Page[ApiKey]]:
        """List a tenant's keys, without their secrets."""
        path, params = f"{client_path(client_id)}/api-keys", query(limit=limit)
        return Call("GET", path, json_as(Page[ApiKey]), params=params)

    @operation
    def revoke_api_key(self, client_id: UUID, key_id: UUID) -> Call[None]:
        """End a key at once."""
        return Call("DELETE", f"{client_path(client_id)}/api-keys/{key_id}", nothing)
