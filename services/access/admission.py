"""Admission: what turns a caller into the right to run a use case.

Default deny as a type: use cases take a `TenantAccess`, a `GlobalAccess` or an `OwnAccess`, and
only this module makes them. The order of refusals: what the caller may not see does not exist; then
what it may not do; then what the client's status forbids.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from global_db.quotas import UNLIMITED, Quota
from global_db.reading import FROM_PRIMARY, Reading
from global_db.values import value
from services.errors import ClientInactive, ClientSuspended, Forbidden, NotFound
from services.failures import tenant_failures
from services.identity.principal import OPERATOR, Caller, Origin, Session
from services.resources import Resources
from shards.tenants import PRIMARY_READING, TenantReading

READING = frozenset({"client:read", "document:read", "audit:read", "report:read"})
"""Permissions that an inactive client's callers keep."""


@value
class TenantAccess:
    """The caller may do `permission` inside this client; `reading` says what its reads need."""

    caller: Caller
    client_id: UUID
    permission: str
    reading: TenantReading = PRIMARY_READING
    quota: Quota = UNLIMITED
    """What operators allow the client."""


@dataclass(frozen=True, slots=True)
class GlobalAccess:
    """The caller may do `permission` on every client, or on `clients` alone.

    `reading` says which servers of shards may answer, `directory` which of the global database.
    """

    caller: Caller
    permission: str
    clients: tuple[UUID, ...] | None = None
    reading: Reading = FROM_PRIMARY
    directory: Reading = FROM_PRIMARY


@dataclass(frozen=True, slots=True)
class OwnAccess:
    """The caller is a person who came in by a login, and may change how they get in."""

    caller: Caller
    session: Session

    @property
    def user_id(self) -> UUID:
        """Whose account it is."""
        return self.caller.principal.user_id


async def admit_to_client(
    resources: Resources, caller: Caller, client_id: UUID, permission: str
) -> TenantAccess:
    """Let the caller act inside a client.

    Raises:
        NotFound: there is no such client, or the caller may not know of it.
        Forbidden, ClientSuspended, ClientInactive.
    """
    if not caller.principal.sees(client_id):
        raise NotFound
    with tenant_failures():
        placement = await resources.data.placements.get(client_id)
    if not caller.principal.may(permission, client_id):
        raise Forbidden(f"This needs the permission {permission}.")
    demand_status(placement.status, reads=permission in READING)
    return TenantAccess(
        caller,
        client_id,
        permission,
        quota=placement.quota,
    )


async def admit_to_administer(
    resources: Resources, caller: Caller, client_id: UUID, permission: str, *, reads: bool
) -> TenantAccess:
    """Let the caller look at or change a client itself.

    Who holds the permission on all clients may, whatever the client's status: somebody has to
    activate it again. The client's own people and keys are bound by its status here as well.

    Raises:
        NotFound, Forbidden, ClientSuspended, ClientInactive.
    """
    if not caller.principal.sees(client_id):
        raise NotFound
    with tenant_failures():
        placement = await resources.data.placements.get(client_id)
    if not caller.principal.may(permission, client_id):
        raise Forbidden(f"This needs the permission {permission}.")
    if not caller.principal.may(permission, None):
        demand_status(placement.status, reads=reads)
    return TenantAccess(caller, client_id, permission)


def admit_to_own_account(caller: Caller) -> OwnAccess:
    """Let a person look after their own account; an API key is no person.

    Raises:
        Forbidden.
    """
    if caller.principal.session is None:
        raise Forbidden("This is for people who logged in, not for API keys.")
    return OwnAccess(caller, caller.principal.session)


def demand_status(status: str, *, reads: bool) -> None:
    """Refuse what the client's status forbids.

    Raises:
        ClientSuspended: everything. ClientInactive: whatever is not a read.
    """
    if status == "suspended":
        raise ClientSuspended
    if status == "inactive" and not reads:
        raise ClientInactive


def admit_globally(caller: Caller, permission: str) -> GlobalAccess:
    """Let the caller act on everything.

    Raises:
        Forbidden: no global grant holds the permission.
    """
    if not caller.principal.may(permission, None):
        raise Forbidden(f"This needs the permission {permission} on all clients.")
    return GlobalAccess(caller, permission)


def admit_to_own(caller: Caller, permission: str) -> GlobalAccess:
    """Let the caller list what it may see: everything, or its own clients.

    Raises:
        Forbidden: no grant at all holds the permission.
    """
    clients = caller.principal.clients(permission)
    if clients == ():
        raise Forbidden(f"This needs the permission {permission}.")
    return GlobalAccess(caller, permission, clients)


def admit_operator(reason: str | None) -> GlobalAccess:
    """Let an operator's command act on clients; `reason` goes into the audit log."""
    return GlobalAccess(Caller(OPERATOR, Origin(reason=reason)), "client:edit")


def admit_operator_to_client(client_id: UUID, reason: str | None) -> TenantAccess:
    """Let an operator's command act on one client, whatever its status."""
    return TenantAccess(Caller(OPERATOR, Origin(reason=reason)), client_id, "client:edit")
