"""The first administrator: somebody has to let the others in."""

from __future__ import annotations

from uuid import UUID

from global_db import identities
from global_db.identities import EmailTaken as EmailTakenInDatabase
from global_db.identities import NewUser
from services.audit import Event, record_global
from services.errors import EmailTaken, InvalidRequest
from services.failures import global_failures
from services.identity.passwords import check_policy
from services.ids import new_id
from services.keys.fields import user_field
from services.resources import Resources


async def init_admin(resources: Resources, email: str, password: str) -> UUID:
    """Make a user with the role admin on everything; answers the id.

    Raises:
        EmailTaken: a living user has this address. InvalidRequest: no address, or a weak password.
        DirectoryUnavailable.
    """
    check_policy(password, email=email)
    user_id = new_id()
    fields = resources.secrets.fields
    try:
        index = fields.email_index(email)
    except ValueError as error:
        raise InvalidRequest.at("/email", str(error)) from error
    user = NewUser(
        id=user_id,
        email=fields.seal(user_field("email", user_id), email),
        email_index=index,
        password_hash=await resources.secrets.passwords.hash(password),
    )
    await _store(resources, user)
    return user_id


async def _store(resources: Resources, user: NewUser) -> None:
    with global_failures():
        try:
            async with resources.data.global_db.write() as connection:
                await identities.insert_user(connection, user)
                await identities.grant(
                    connection, id=new_id(), user_id=user.id, role="admin", client_id=None
                )
                after = {"roles": ["admin"], "is_active": True}
                event = Event("user.create", "user", user.id, None, after)
                await record_global(connection, None, event)
        except EmailTakenInDatabase as error:
            raise EmailTaken from error
