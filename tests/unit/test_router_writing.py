"""What is written without a model is what the model tells, to the last byte."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from router.models.audit import AuditLogPage, AuditLogShown
from router.models.documents import DocumentPage, DocumentShown
from router.models.fields import Shown
from router.writing import Told, Writer, by_model, told_document
from services.pages import Page
from shards.audit import AuditRow
from shards.documents import Document

ID = UUID("01983f5e-7c1a-7d2b-9a4e-0c5b7d1e2f30")
THEN = datetime(2026, 2, 3, 4, 5, 6, 700, UTC)
NEW = Document(
    client_id=ID,
    id=UUID(int=5),
    original_name='"Ä" \U0001f600\\\x7f.pdf',
    s3_key="a key of ours",
    mime_type="application/pdf",
    current_version=0,
    size=None,
    checksum_sha256=None,
    metadata={"b": [1, 1.5, -0.0, 1e300, 2**63, None, True, {"a": "\u2028"}], "a": {}},
    row_version=7,
    created_at=THEN,
    created_by=ID,
    updated_at=THEN.replace(microsecond=0, tzinfo=ZoneInfo("Etc/UTC")),
    deleted_at=None,
)
FULL = replace(
    NEW,
    size=2**53,
    checksum_sha256=bytes(range(32)),
    deleted_at=THEN.astimezone(timezone(timedelta(hours=-3, minutes=-30))),
    legal_hold=True,
    retain_until=THEN.astimezone(ZoneInfo("Europe/Zurich")),
)
ROW = AuditRow(
    id=ID,
    user_id=ID,
    api_key_id=None,
    action="document.create",
    entity_type="document",
    entity_id=ID,
    changes={"before": None, "after": {"size": 1}},
    ip_address=ip_address("2001:db8::1"),
    request_id="r-1",
    created_at=THEN,
    seq=3,
)
told_row = by_model(AuditLogShown)


def modelled(model: type[Shown], value: object) -> bytes:
    told = TypeAdapter(model)
    return told.dump_json(told.validate_python(value, from_attributes=True))


@pytest.mark.parametrize("document", [NEW, FULL], ids=["new", "full"])
def test_a_document_is_written_as_its_model_tells_it(document: Document) -> None:
    written = Writer(told_document).one(document)
    assert written.body == modelled(DocumentShown, document)
    assert written.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("tell", "model", "items"),
    [
        (told_document, DocumentPage, [NEW, FULL]),
        (told_document, DocumentPage, []),
        (told_row, AuditLogPage, [ROW, replace(ROW, ip_address=None, seq=None)]),
        (told_row, AuditLogPage, [replace(ROW, ip_address=ip_address("192.0.2.7"))]),
    ],
    ids=["documents", "none", "audit", "address"],
)
@pytest.mark.parametrize("cursor", [None, "AZg_-"], ids=["last", "more"])
def test_a_page_is_written_as_its_model_tells_it(
    tell: Callable[[Any], Told], model: type[Shown], items: list[Any], cursor: str | None
) -> None:
    page = Page(items, cursor)
    assert Writer(tell).page(page).body == modelled(model, page)


def test_what_no_answer_tells_is_refused() -> None:
    with pytest.raises(TypeError):
        Writer(told_document).one(replace(NEW, metadata={"key": object()}))
