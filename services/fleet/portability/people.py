"""What an export tells of a client's people and keys: enough to know who an id is, and to set it up
again; never what would let somebody in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

import orjson

from global_db import belongings
from global_db.belongings import IssuedKey, Person
from global_db.cluster import Cluster
from services.keys.fields import Fields, user_field

PEOPLE: Final = ("id", "email", "mobile", "roles", "is_active", "created_at", "deleted_at")
KEYS: Final = tuple(IssuedKey.__slots__)
_FIRST: Final = UUID(int=0)


async def people_lines(
    directory: Cluster, fields: Fields, client_id: UUID
) -> AsyncIterator[list[str]]:
    """Those who hold roles on the client, their addresses in the clear.

    Raises:
        ClusterError, KeysUnavailable, SealBroken.
    """
    after = _FIRST
    while True:
        async with directory.read() as connection:
            page = await belongings.people(connection, client_id, after)
        if not page:
            return
        yield [_line(await _told(fields, person)) for person in page]
        after = page[-1].id


async def key_lines(directory: Cluster, client_id: UUID) -> AsyncIterator[list[str]]:
    """The client's API keys, by name and scopes; a key itself is known to who was given it.

    Raises:
        ClusterError.
    """
    after = _FIRST
    while True:
        async with directory.read() as connection:
            page = await belongings.issued_keys(connection, client_id, after)
        if not page:
            return
        yield [_line(asdict(key)) for key in page]
        after = page[-1].id


async def _told(fields: Fields, person: Person) -> dict[str, Any]:
    shown = asdict(person)
    shown["email"] = await fields.unseal(user_field("email", person.id), person.email)
    if person.mobile is not None:
        shown["mobile"] = await fields.unseal(user_field("mobile", person.id), person.mobile)
    return {name: shown[name] for name in PEOPLE}


def _line(row: dict[str, Any]) -> str:
    return orjson.dumps(row).decode()
