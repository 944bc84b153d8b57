"""Who calls, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from uuid import UUID

from global_db.identities import Grant
from global_db.values import value


@dataclass(frozen=True, slots=True)
class Session:
    """How a person came in: `id` is that of the family of refresh tokens.

    `login_clock`: when the login was, in seconds of our own monotonic clock: its age is told by the
    database's clock, and nobody sets ours. `must_enrol`: a role of theirs demands a second factor
    and they have none.
    """

    id: UUID
    logged_in_at: datetime
    login_clock: float
    must_enrol: bool = False


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified user or API key.

    `user_id` is the user, or the one who made the key and answers for it. `grants` say what is
    allowed: a key has one, for its client; whoever must set up a second factor first has none.
    """

    user_id: UUID
    api_key_id: UUID | None
    grants: tuple[Grant, ...]
    session: Session | None = None

    @property
    def id(self) -> UUID:
        """The key's id where it is a key, else the user's."""
        return self.api_key_id or self.user_id

    def may(self, permission: str, client_id: UUID | None) -> bool:
        """Whether a global grant, or one on this client, holds the permission."""
        return any(
            permission in grant.permissions
            for grant in self.grants
            if grant.client_id is None or grant.client_id == client_id
        )

    def sees(self, client_id: UUID) -> bool:
        """Whether any grant reaches the client: if none does, the client does not exist for it."""
        return any(grant.client_id is None or grant.client_id == client_id for grant in self.grants)

    def clients(self, permission: str) -> tuple[UUID, ...] | None:
        """The clients on which the permission is held; None means all."""
        holding = [grant.client_id for grant in self.grants if permission in grant.permissions]
        if None in holding:
            return None
        return tuple(client_id for client_id in holding if client_id is not None)


@value
class Origin:
    """Where a request came from; `reason` is an operator's own words."""

    ip_address: IPv4Address | IPv6Address | None = None
    request_id: str | None = None
    reason: str | None = None


@value
class Caller:
    """A principal together with where its request came from."""

    principal: Principal
    origin: Origin


def ordered_by(caller: Caller | None, reason: str | None) -> Caller | Origin:
    """Whom the audit log names for an operator's order, with their words: the person who gave it in
    the console; without a caller a command did."""
    if caller is None:
        return Origin(reason=reason)
    return replace(caller, origin=replace(caller.origin, reason=reason))


OPERATOR: Final = Principal(
    UUID(int=0),
    None,
    (Grant("operator's command", None, frozenset({"client:read", "client:edit", "user:read"})),),
)
"""Who runs a command beside the databases: no user of the service. Who can do that holds the
databases' own passwords, so no grant is looked up; the audit log names no user, but the reason."""
