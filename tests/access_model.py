"""Who may do what, written down once more: from the HTTP contract, never from the code.

A small reference model. The authorisation matrix compares the running service with it, operation by
operation; a property test compares the rules inside the service with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

ROLES: Mapping[str, frozenset[str]] = {
    "admin": frozenset(
        {
            *("client:read", "client:edit", "user:read", "user:edit", "role:edit"),
            *("document:read", "document:write", "document:delete", "document:purge"),
            *("audit:read", "report:read", "key:edit", "fleet:read", "fleet:operate"),
        }
    ),
    "client_admin": frozenset(
        {
            *("client:read", "user:read", "key:edit", "audit:read", "report:read"),
            *("document:read", "document:write", "document:delete", "document:purge"),
        }
    ),
    "editor": frozenset({"client:read", "document:read", "document:write", "document:delete"}),
    "viewer": frozenset({"client:read", "document:read"}),
    "auditor": frozenset({"client:read", "audit:read", "report:read"}),
    "operator": frozenset({"client:read", "fleet:read", "fleet:operate", "audit:read"}),
}
EVERYWHERE = None
"""The place of a grant that holds on all clients."""


class Reach(Enum):
    """What an operation is about."""

    ANYBODY = "getting in: no credentials are needed"
    ONESELF = "whoever has valid credentials"
    PERSON = "a user's own account: not for API keys"
    SERVICE = "the service: the permission must be held on all clients"
    SERVICE_ON_CLIENT = "one client that may be deleted: the permission on all clients is needed"
    OWN_CLIENTS = "what the caller may see: the permission must be held on some client"
    CLIENT = "one client as a whole: its status binds its own people, not who runs the service"
    TENANT = "the data of one client, as far as its status allows"


@dataclass(frozen=True)
class Rule:
    """What one operation demands. `reads`: it changes nothing."""

    reach: Reach
    permission: str = ""
    reads: bool = False


@dataclass(frozen=True)
class Caller:
    """Who calls: grants as (permissions, client or EVERYWHERE); `known` is False for whoever has no
    valid credential."""

    grants: tuple[tuple[frozenset[str], str | None], ...] = ()
    known: bool = True
    person: bool = True

    def sees(self, client: str) -> bool:
        """Whether the client exists for this caller."""
        return any(where in (EVERYWHERE, client) for _, where in self.grants)

    def holds(self, permission: str, client: str | None) -> bool:
        """Whether a grant on the client, or one on all, has the permission."""
        return any(
            permission in permissions and where in (EVERYWHERE, client)
            for permissions, where in self.grants
        )


@dataclass(frozen=True)
class Target:
    """What a call names. `status` is the client's, None where there is no such client; `exists`
    says it of the thing inside."""

    client: str | None = None
    status: str | None = None
    exists: bool = True


def refusal(caller: Caller, rule: Rule, target: Target) -> str | None:
    """The code of the refusal, None when the call passes: 401, then 404, then 403, then status."""
    if rule.reach is not Reach.ANYBODY and not caller.known:
        return "unauthenticated"
    if rule.reach in (Reach.ANYBODY, Reach.ONESELF, Reach.PERSON):
        return "forbidden" if rule.reach is Reach.PERSON and not caller.person else None
    if rule.reach is Reach.OWN_CLIENTS:
        held = any(rule.permission in permissions for permissions, _ in caller.grants)
        return None if held else "forbidden"
    if rule.reach in (Reach.CLIENT, Reach.TENANT):
        return _of_a_client(caller, rule, target)
    return _of_the_service(caller, rule, target)


def _of_the_service(caller: Caller, rule: Rule, target: Target) -> str | None:
    if rule.reach is Reach.SERVICE_ON_CLIENT and not caller.sees(str(target.client)):
        return "not_found"
    if not caller.holds(rule.permission, EVERYWHERE):
        return "forbidden"
    return None if target.exists else "not_found"


def _of_a_client(caller: Caller, rule: Rule, target: Target) -> str | None:
    if target.client is None or target.status is None or not caller.sees(target.client):
        return "not_found"
    refused = _inside(caller, rule, target)
    if target.exists or refused == "client_suspended":
        return refused
    # Nothing is there. Who may read documents learns that first, since reading would tell as much;
    # the others learn what they may not do, whatever is there.
    reading = Rule(Reach.TENANT, "document:read", reads=True)
    may_look = rule.reach is Reach.TENANT and _inside(caller, reading, target) is None
    return "not_found" if refused is None or may_look else refused


def _inside(caller: Caller, rule: Rule, target: Target) -> str | None:
    if not caller.holds(rule.permission, target.client):
        return "forbidden"
    if rule.reach is Reach.CLIENT and caller.holds(rule.permission, EVERYWHERE):
        return None
    if target.status == "suspended":
        return "client_suspended"
    if target.status == "inactive" and not rule.reads:
        return "client_inactive"
    return None
