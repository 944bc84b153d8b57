"""Clients (tenants), where they live, and keys for their machines."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from router.models import examples
from router.models.fields import (
    ClientCode,
    Given,
    Id,
    Instant,
    Label,
    Metadata,
    PageQuery,
    Shown,
    StoredJson,
)


class ClientStatus(StrEnum):
    """`suspended` refuses every call of the tenant; `inactive` is read-only."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class ClientGiven(Given):
    """A new client. `code` is unique among the living."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CLIENT_GIVEN]})

    code: ClientCode
    name: Label
    metadata: Metadata = Field(default_factory=dict)
    managed_by: Id | None = None


class ClientPatch(Given):
    """What to change; `managed_by` null takes the manager away."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CLIENT_PATCH]})

    code: ClientCode = ""
    name: Label = ""
    metadata: Metadata = Field(default_factory=dict)
    status: ClientStatus = ClientStatus.ACTIVE
    managed_by: Id | None = None


class ClientShown(Shown):
    """A client."""

    id: UUID
    code: str
    name: str
    metadata: StoredJson
    status: ClientStatus
    managed_by: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class ClientPage(Shown):
    """A page of clients."""

    items: list[ClientShown]
    next_cursor: str | None


class ClientQuery(PageQuery):
    """Which clients to list."""

    code: ClientCode | None = None
    status: ClientStatus | None = None
    metadata: str | None = Field(
        default=None,
        description="A JSON object: clients whose metadata contain it.",
        examples=['{"plan":"large"}'],
    )


class PlacementShown(Shown):
    """The shard that holds a client, and the epoch of that."""

    client_id: UUID
    shard: str
    epoch: int
    state: str


Scope = Annotated[str, Field(pattern=r"^[a-z]+:[a-z]+$", max_length=64)]


class ApiKeyGiven(Given):
    """A new key for machines. It may do what its scopes say, inside its client."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.API_KEY_GIVEN]})

    name: Label
    scopes: list[Scope] = Field(min_length=1, max_length=32)
    expires_at: Instant | None = None


class ApiKeyShown(Shown):
    """A key, without its secret."""

    id: UUID
    client_id: UUID
    name: str
    scopes: list[str]
    expires_at: datetime | None
    created_by: UUID | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewApiKeyShown(ApiKeyShown):
    """A key with its secret, which is shown only this once."""

    key: str


class ApiKeyPage(Shown):
    """A page of keys."""

    items: list[ApiKeyShown]
    next_cursor: str | None
