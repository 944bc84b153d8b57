"""Nobody changes, through a user's account, more than they hold themselves.

Whoever could change the address of an administrator, end one or let one in again would hold what
administrators hold: users are administered only by who may do all that they may do.
"""

from __future__ import annotations

from uuid import UUID

from global_db import identities
from global_db.connection import ReadConnection
from services.errors import Forbidden
from services.identity.principal import Principal


async def demand_reach(connection: ReadConnection, principal: Principal, user_id: UUID) -> None:
    """Let the principal administer this user.

    Raises:
        Forbidden: the user may do something that the principal may not.
    """
    if user_id == principal.user_id:
        return
    for grant in await identities.grants(connection, user_id):
        if not all(principal.may(name, grant.client_id) for name in grant.permissions):
            raise Forbidden("This user may do more than you may.")
