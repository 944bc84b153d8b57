"""Use cases on users. Addresses and numbers are sealed before they reach the database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from global_db import sessions, users
from global_db.connection import WriteConnection
from global_db.users import User as Sealed
from global_db.users import UserFilter
from services.access.admission import GlobalAccess
from services.access.reach import demand_reach
from services.administration.last_admin import an_admin_remains
from services.administration.sealed_users import Contact, User, sealed, shown, taken
from services.audit import Event, record_global
from services.cursor import ListScope
from services.errors import Conflict, NotFound
from services.failures import global_failures
from services.idempotency import key_for, once_in_global
from services.identity.passwords import check_policy
from services.identity.principal import Caller
from services.ids import new_id
from services.pages import Page, PageRequest, page_of, start_of
from services.resources import Resources

__all__ = [
    "NewUser",
    "User",
    "UserPatch",
    "UserQuery",
    "create",
    "delete",
    "get",
    "list_newest",
    "restore",
    "update",
]


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to add. Without a password the first one comes by a one-time link."""

    email: str
    mobile: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class UserPatch:
    """What to change, by member: those that are not in `given` stay as they are."""

    given: frozenset[str]
    email: str = ""
    mobile: str | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class UserQuery:
    """Which users to list; None means any."""

    email: str | None = None
    is_active: bool | None = None
    deleted: bool = False


async def create(
    resources: Resources, access: GlobalAccess, new: NewUser, key: str | None = None
) -> User:
    """Add a user, who may do nothing until a role is given.

    Raises:
        EmailTaken, MobileTaken, InvalidRequest, IdempotencyMismatch, IdempotencyInProgress.
    """
    contact = Contact(new.email, new.mobile)
    user_id = new_id()
    row = sealed(resources.secrets.fields, _blank(user_id), contact)
    password_hash = None
    if new.password is not None:
        check_policy(new.password, email=new.email)
        password_hash = await resources.secrets.passwords.hash(new.password)
    # The password decides nothing that is answered, and its hash would differ each time.
    once = key_for(access.caller.principal, key, "create_user", [new.email, new.mobile])

    with global_failures():
        async with resources.data.global_db.write() as connection:

            async def effect() -> dict[str, UUID]:
                with taken():
                    stored = await users.insert(connection, row, password_hash)
                await _record(connection, access.caller, "user.create", None, stored)
                return {"id": stored.id}

            made, _ = await once_in_global(connection, once, TypeAdapter(dict[str, UUID]), effect)
            # Read before the commit: what has committed must not be told of as a failure.
            added = await users.get(connection, made["id"])
    if added is None:
        raise NotFound
    return await shown(resources.secrets.fields, added)


async def get(resources: Resources, access: GlobalAccess, user_id: UUID) -> User:
    """One user, deleted or not.

    Raises:
        NotFound.
    """
    with global_failures():
        async with resources.data.global_db.read() as connection:
            row = await users.get(connection, user_id)
    if row is None:
        raise NotFound
    return await shown(resources.secrets.fields, row)


async def list_newest(
    resources: Resources, access: GlobalAccess, query: UserQuery, request: PageRequest
) -> Page[User]:
    """A page of users, newest first.

    Raises:
        InvalidCursor.
    """
    fields, cursors = resources.secrets.fields, resources.secrets.cursors
    try:
        email_index = None if query.email is None else fields.email_index(query.email)
    except ValueError:
        return Page([], None)  # not an address, so nobody's
    wanted = UserFilter(email_index, query.is_active, query.deleted)
    scope = ListScope(
        "users",
        None,
        {"email": query.email, "is_active": query.is_active, "deleted": query.deleted},
    )
    position = await start_of(cursors, scope, request)
    before = None if position is None else UUID(position[0])
    with global_failures():
        async with resources.data.global_db.read() as connection:
            rows = await users.newest(connection, wanted, before, request.limit + 1)
    page = page_of(rows, request, lambda last: cursors.encode(scope, (str(last.id),)))
    return Page([await shown(fields, row) for row in page.items], page.next_cursor)


async def update(
    resources: Resources, access: GlobalAccess, user_id: UUID, patch: UserPatch
) -> User:
    """Change a user's address, number or activity.

    Raises:
        NotFound, EmailTaken, MobileTaken, InvalidRequest, LastAdmin; Forbidden: the user may do
            more than the caller.
    """
    fields = resources.secrets.fields
    with global_failures():
        async with (
            resources.data.global_db.write() as connection,
            an_admin_remains(connection),
        ):
            before = await users.lock(connection, user_id)
            if before is None:
                raise NotFound
            await demand_reach(connection, access.caller.principal, user_id)
            old = await shown(fields, before)
            contact = Contact(
                patch.email if "email" in patch.given else old.email,
                patch.mobile if "mobile" in patch.given else old.mobile,
            )
            active = patch.is_active if "is_active" in patch.given else before.is_active
            if (old.email, old.mobile, old.is_active) == (contact.email, contact.mobile, active):
                return old
            row = replace(sealed(fields, before, contact), is_active=active)
            with taken():
                after = await users.update(connection, row)
            if not after.is_active:
                # So that none comes back to life when the user does.
                await sessions.revoke_others(connection, user_id)
            await _record(connection, access.caller, "user.update", before, after)
    resources.forget_user(user_id)
    return await shown(fields, after)


async def delete(resources: Resources, access: GlobalAccess, user_id: UUID) -> None:
    """Soft-delete a user: out everywhere within the principals' lease.

    Raises:
        NotFound, LastAdmin; Forbidden: the user may do more than the caller.
    """
    with global_failures():
        async with (
            resources.data.global_db.write() as connection,
            an_admin_remains(connection),
        ):
            before = await users.lock(connection, user_id)
            if before is None:
                raise NotFound
            await demand_reach(connection, access.caller.principal, user_id)
            await users.delete(connection, user_id)
            await sessions.revoke_others(connection, user_id)
            await _record(connection, access.caller, "user.delete", before, None)
    resources.forget_user(user_id)


async def restore(resources: Resources, access: GlobalAccess, user_id: UUID) -> User:
    """Take a soft delete back.

    Raises:
        NotFound; Conflict: the user is not deleted; EmailTaken, MobileTaken: a living user has it;
            Forbidden: the user may do more than the caller.
    """
    with global_failures():
        async with resources.data.global_db.write() as connection:
            await demand_reach(connection, access.caller.principal, user_id)
            with taken():
                restored = await users.restore(connection, user_id)
            row = await users.get(connection, user_id)
            if row is None:
                raise NotFound
            if not restored:
                raise Conflict("The user is not deleted, so there is nothing to restore.")
            await _record(connection, access.caller, "user.restore", None, row)
    return await shown(resources.secrets.fields, row)


def _blank(user_id: UUID) -> Sealed:
    """A row to be sealed; the database sets its times."""
    never = datetime.fromtimestamp(0, UTC)
    return Sealed(user_id, b"", b"", None, None, True, False, never, never, None)


async def _record(
    connection: WriteConnection,
    caller: Caller,
    action: str,
    before: Sealed | None,
    after: Sealed | None,
) -> None:
    entity = after or before
    if entity is None:
        raise ValueError("an event tells of a user")
    await record_global(
        connection, caller, Event(action, "user", entity.id, _image(before), _image(after))
    )


def _image(user: Sealed | None) -> dict[str, Any] | None:
    """What the audit log keeps of a user: that an address changed, never the address.

    The fingerprint is the beginning of a keyed hash: equal addresses look equal, no more.
    """
    if user is None:
        return None
    return {
        "email_fingerprint": user.email_index[:8].hex(),
        "mobile_fingerprint": None if user.mobile_index is None else user.mobile_index[:8].hex(),
        "is_active": user.is_active,
        "mfa": user.mfa,
    }
