"""From a user's row to what an administrator sees, and back: sealing and opening addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from global_db.identities import EmailTaken as EmailTakenInDatabase
from global_db.users import MobileTaken as MobileTakenInDatabase
from global_db.users import User as Sealed
from services.errors import EmailTaken, InvalidRequest, MobileTaken
from services.keys.fields import FieldPlace, Fields


@dataclass(frozen=True, slots=True)
class User:
    """A user with readable addresses; `mfa` says whether a second factor is set up."""

    id: UUID
    email: str
    mobile: str | None
    is_active: bool
    mfa: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contact:
    """E-mail address and telephone number in the clear."""

    email: str
    mobile: str | None


def sealed(fields: Fields, row: Sealed, contact: Contact) -> Sealed:
    """The row with this contact, sealed for its place.

    Raises:
        InvalidRequest: not an address, or not a number with its country code.
    """
    email_index = _indexed(fields.email_index, "/email", contact.email)
    with_email = replace(
        row,
        email=fields.seal(FieldPlace("users", "email", row.id), contact.email),
        email_index=email_index,
    )
    if contact.mobile is None:
        return replace(with_email, mobile=None, mobile_index=None)
    return replace(
        with_email,
        mobile_index=_indexed(fields.mobile_index, "/mobile", contact.mobile),
        mobile=fields.seal(FieldPlace("users", "mobile", row.id), contact.mobile),
    )


async def shown(fields: Fields, row: Sealed) -> User:
    """The row opened.

    Raises:
        KeysUnavailable.
    """
    mobile = None
    if row.mobile is not None:
        mobile = await fields.unseal(FieldPlace("users", "mobile", row.id), row.mobile)
    return User(
        id=row.id,
        email=await fields.unseal(FieldPlace("users", "email", row.id), row.email),
        mobile=mobile,
        is_active=row.is_active,
        mfa=row.mfa,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


@contextmanager
def taken() -> Iterator[None]:
    """Say in the domain's words that a living user has the address or number."""
    try:
        yield
    except EmailTakenInDatabase as error:
        raise EmailTaken(
            "A living user has this e-mail address: change or delete that one first."
        ) from error
    except MobileTakenInDatabase as error:
        raise MobileTaken(
            "A living user has this telephone number: change or delete that one first."
        ) from error


def _indexed(index: Callable[[str], bytes], pointer: str, text: str) -> bytes:
    try:
        return index(text)
    except ValueError as error:
        raise InvalidRequest.at(pointer, str(error)) from error
