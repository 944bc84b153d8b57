"""I5: whatever fails at whichever statement, a change and its audit row come together or not."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from global_db.connection import ReadConnection, WriteConnection
from global_db.transaction import Transaction
from services.tenant import documents, purge, versions
from services.tenant.documents import DocumentPatch, NewDocument
from tests.integration.desk import Desk, send

STATE = """
    SELECT (SELECT coalesce(md5(string_agg(d::text, ',' ORDER BY d.id)), '')
              FROM docshard.documents d WHERE client_id = %s)
        || (SELECT coalesce(md5(string_agg(v::text, ',' ORDER BY v.id)), '')
              FROM docshard.document_versions v WHERE client_id = %s) AS state,
           (SELECT count(*) FROM docshard.audit_logs WHERE client_id = %s) AS audited
"""
Act = Callable[[], Awaitable[Any]]


class Injected(Exception):
    """Not a failure that anybody expects."""


@dataclass
class Injector:
    """Fails at one of the statements of a transaction, before or behind it; COMMIT is one too."""

    at: int
    behind: bool
    count: int = 0

    @property
    def done(self) -> bool:
        return self.count < self.at

    def wrap(self, run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def failing(connection: Any, *given: Any, **named: Any) -> Any:
            if not isinstance(connection, WriteConnection):
                return await run(connection, *given, **named)
            self.count += 1
            if self.count == self.at and not self.behind:
                raise Injected
            answer = await run(connection, *given, **named)
            if self.count == self.at:
                raise Injected
            return answer

        return failing


async def look(desk: Desk) -> tuple[str, int]:
    (row,) = await desk.rows(STATE, *[desk.client_id] * 3)
    return row["state"], row["audited"]


async def creating(desk: Desk) -> Act:
    new = NewDocument("b.txt", "text/plain", {})
    return lambda: documents.create(desk.resources, desk.access, new, "a key")


async def updating(desk: Desk) -> Act:
    made = await desk.document()
    patch = DocumentPatch(original_name="c.txt")
    return lambda: documents.update(
        desk.resources, desk.access, made.id, patch, lambda document: True
    )


async def deleting(desk: Desk) -> Act:
    made = await desk.document()
    return lambda: documents.delete(desk.resources, desk.access, made.id, lambda document: True)


async def restoring(desk: Desk) -> Act:
    made = await desk.document()
    await documents.delete(desk.resources, desk.access, made.id, lambda document: True)
    return lambda: documents.restore(desk.resources, desk.access, made.id)


async def purging(desk: Desk) -> Act:
    made = await desk.document()
    await documents.delete(desk.resources, desk.access, made.id, lambda document: True)
    return lambda: purge.purge(desk.resources, desk.access, made.id)


async def completing(desk: Desk) -> Act:
    granted = await desk.begin(await desk.document(), b"abc")
    await send(granted, b"abc")
    return lambda: desk.complete(granted)


async def promoting(desk: Desk) -> Act:
    made = await desk.document()
    await desk.uploaded(made, b"abc")
    return lambda: versions.promote(
        desk.resources, desk.access, (made.id, 1), lambda document: True
    )


CASES = (creating, updating, deleting, restoring, purging, completing, promoting)
PLACES = (
    *((kind, "_run") for kind in (ReadConnection, Transaction)),
    *((Transaction, name) for name in ("send", "returning", "changed", "commit")),
)


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
async def test_a_change_and_its_row_come_together_or_not_at_all(desk: Desk, behind: bool) -> None:
    for prepare in CASES:
        act = await prepare(desk)
        before = await look(desk)
        number = 1
        while not await went_through(desk, act, before, Injector(number, behind)):
            number += 1
        assert number > 2, f"{prepare.__name__} has more than one statement"


async def went_through(desk: Desk, act: Act, before: tuple[str, int], injector: Injector) -> bool:
    """Try once; answers whether the change is there, and so its row."""
    with pytest.MonkeyPatch.context() as patched:
        for kind, name in PLACES:
            patched.setattr(kind, name, injector.wrap(getattr(kind, name)))
        try:
            await act()
        except Injected:
            assert not injector.done
    state, audited = await look(desk)
    changed = state != before[0]
    assert audited - before[1] == int(changed)
    # A change without an error, or with one behind its COMMIT.
    assert changed == injector.done or (changed and injector.behind)
    return changed
