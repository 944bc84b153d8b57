"""Who may call a route: the rules, and the bearer credential that they begin with.

A rule attaches the access that use cases demand, so a route without one could not do anything.
"""

import re
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from router import headers
from router.api import CONSISTENCY, PUBLIC, READS, STALENESS, Rule
from router.call import Call
from router.limits import Limiter, refuse
from router.models.fields import id_of
from services.access.admission import (
    GlobalAccess,
    admit_globally,
    admit_to_administer,
    admit_to_client,
    admit_to_own,
    admit_to_own_account,
)
from services.access.authentication import authenticate
from services.access.reads import Asked, with_global_reading, with_reading
from services.errors import NotFound, ServiceError, Unauthenticated
from services.identity.principal import Caller
from services.tenant import documents
from services.timing import measured

_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/=-]{1,4096})", re.IGNORECASE)
_ASKED: Final = ("directory_unavailable", "database_full", "keys_unavailable")
_IDENTIFIED: Final = ("unauthenticated", *_ASKED)
_ON_CLIENT: Final = ("not_found", "forbidden", "client_suspended", "client_inactive")
_IN_CLIENT: Final = (
    *(*_IDENTIFIED, *_ON_CLIENT, "shard_unavailable", "shard_behind", "tenant_moving"),
)


def bearer_credential(call: Call) -> str:
    """Give the one bearer credential of the request.

    Raises:
        Unauthenticated: there is none, or more than one, or it has another form.
    """
    values = call.headers.getlist("authorization")
    found = _BEARER.fullmatch(values[0].strip()) if len(values) == 1 else None
    if found is None:
        raise Unauthenticated("Send one header Authorization: Bearer …")
    return found[1]


async def _identify(call: Call) -> Caller:
    with measured("auth"):
        principal = await authenticate(call.resources, bearer_credential(call))
    call.caller = Caller(principal, call.origin())
    _spend(call, call.edge.principals, principal.id)
    return call.caller


def _spend(call: Call, limiter: Limiter, key: UUID, own: float | None = None) -> None:
    share = limiter.take(key, time.monotonic(), own)
    call.context.headers.extend(share.headers())
    if share.remaining < 0:
        raise refuse(share)


def _id_in_path(call: Call, name: str) -> UUID:
    found = id_of(call.path_params[name])
    if found is None:
        raise NotFound
    return found


def _asked(call: Call) -> Asked:
    return Asked(
        call.scope["route"].operation_id,
        headers.max_staleness(call.header("max-staleness")),
        call.header("consistency-token"),
    )


def _read_where_asked(call: Call, rule: Rule, access: GlobalAccess) -> GlobalAccess:
    """The access, with what its reads of the global database need."""
    if not rule.reading or call.method not in READS:
        return access
    return with_global_reading(call.resources.settings.reads, access, _asked(call))


class _NoTarget:
    reading: tuple[str, ...] = ()

    async def confirm_target(self, call: Call) -> None:
        """Nothing in the path to be absent."""


@dataclass(frozen=True, slots=True)
class Public(_NoTarget):
    """Anybody: for getting in."""

    permission = PUBLIC
    refusals = _ASKED

    async def admit(self, call: Call) -> None:
        """Let everyone pass."""


@dataclass(frozen=True, slots=True)
class Anyone(_NoTarget):
    """Whoever has valid credentials."""

    permission = "<authenticated>"
    refusals = _IDENTIFIED

    async def admit(self, call: Call) -> None:
        """Attach the caller."""
        await _identify(call)


@dataclass(frozen=True, slots=True)
class Person(_NoTarget):
    """Whoever came in by a login: for what belongs to the own account. API keys are no persons."""

    permission = "<person>"
    refusals = (*_IDENTIFIED, "forbidden")

    async def admit(self, call: Call) -> None:
        """Attach the access to the own account."""
        call.own = admit_to_own_account(await _identify(call))


@dataclass(frozen=True, slots=True)
class Everywhere(_NoTarget):
    """Holders of the permission on all clients."""

    permission: str
    reading: tuple[str, ...] = ()
    refusals = (*_IDENTIFIED, "forbidden")

    async def admit(self, call: Call) -> None:
        """Attach the access to everything."""
        access = admit_globally(await _identify(call), self.permission)
        call.everywhere = _read_where_asked(call, self, access)


@dataclass(frozen=True, slots=True)
class EverywhereOn(_NoTarget):
    """Holders of the permission on all clients, for the client in the path, which may be deleted.

    To whom the client is foreign it looks absent, as everywhere else.
    """

    permission: str
    refusals = (*_IDENTIFIED, "not_found", "forbidden")

    async def admit(self, call: Call) -> None:
        """Attach the access to everything."""
        caller = await _identify(call)
        if not caller.principal.sees(_id_in_path(call, "client_id")):
            raise NotFound
        call.everywhere = admit_globally(caller, self.permission)


@dataclass(frozen=True, slots=True)
class Own(_NoTarget):
    """Holders of the permission on any client: they get what is theirs."""

    permission: str
    reading: tuple[str, ...] = ()
    refusals = (*_IDENTIFIED, "forbidden")

    async def admit(self, call: Call) -> None:
        """Attach the access to the caller's own clients."""
        access = admit_to_own(await _identify(call), self.permission)
        call.everywhere = _read_where_asked(call, self, access)


@dataclass(frozen=True, slots=True)
class Administer(_NoTarget):
    """Holders of the permission on the client in the path; its status binds its own people only."""

    permission: str
    refusals = (*_IDENTIFIED, *_ON_CLIENT)

    async def admit(self, call: Call) -> None:
        """Attach the access to the client."""
        caller = await _identify(call)
        client_id = _id_in_path(call, "client_id")
        reads = call.method in {"GET", "HEAD"}
        call.tenant = await admit_to_administer(
            call.resources, caller, client_id, self.permission, reads=reads
        )


@dataclass(frozen=True, slots=True)
class Tenant:
    """Holders of the permission on the client in the path, as far as its status allows."""

    permission: str
    of_deleted: bool = False
    """Whether the document in the path may be a deleted one."""

    refusals = _IN_CLIENT
    reading = (CONSISTENCY, STALENESS)

    async def admit(self, call: Call) -> None:
        """Attach the access to the client's data."""
        caller = await _identify(call)
        client_id = _id_in_path(call, "client_id")
        access = await admit_to_client(call.resources, caller, client_id, self.permission)
        call.context.about.client_id = client_id
        _spend(call, call.edge.clients, client_id, access.quota.requests_per_second)
        call.tenant = access
        if call.method in READS:
            call.tenant = await with_reading(call.resources, access, _asked(call))

    async def confirm_target(self, call: Call) -> None:
        """Raise NotFound when the document in the path does not exist for the caller."""
        if "document_id" not in call.path_params:
            return
        client_id, document_id = (_id_in_path(call, name) for name in ("client_id", "document_id"))
        try:
            access = await admit_to_client(call.resources, call.caller, client_id, "document:read")
            await documents.get(call.resources, access, document_id, deleted=self.of_deleted)
        except NotFound:
            raise
        except ServiceError:
            return  # who may not read it learns only what was refused in the first place
