"""The proof of I5 to I8: silent about what is as it should be, and blind to nothing that is not."""

from uuid import UUID

import pytest

from services.fleet.invariants.proof import Rule
from tests.integration.proving import Proving

_OF = "WHERE client_id = %(client)s AND "
_VERSION = f"docshard.document_versions {_OF} document_id = %(document)s AND version_number = "
_DOCUMENT = f"{_OF} id = %(document)s"
_ROW = f"{_OF} entity_id = %(document)s AND action = "

FAULTS = {
    "a version removed": (f"DELETE FROM {_VERSION} 2", "I7", "has 2 versions, numbered 1 to 3"),
    "the newest removed": (f"DELETE FROM {_VERSION} 3", "I7", "says that version 3 is its newest"),
    "current set back": (
        f"UPDATE docshard.documents SET current_version = 2 {_DOCUMENT}",
        *("I7", "says that version 2 is its newest; the newest is 3"),
    ),
    "a version changed": (
        "UPDATE docshard.document_versions SET checksum_sha256 = sha256('x')"
        f" {_OF} document_id = %(document)s AND version_number = 1",
        *("I7", "not what their audit rows tell: 1"),
    ),
    "a version backdated": (
        "UPDATE docshard.document_versions SET created_at = created_at - interval '1 s'"
        f" {_OF} document_id = %(document)s AND version_number = 2",
        *("I7", "not what their audit rows tell: 2"),
    ),
    "content of a document changed": (
        f"UPDATE docshard.documents SET checksum_sha256 = sha256('x') {_DOCUMENT}",
        *("I7", "repeats other content than that of its newest version 3"),
    ),
    "a document removed": (
        f"DELETE FROM docshard.documents {_DOCUMENT}",
        *("I7", "is not there, and 3 versions of it are"),
    ),
    "a document and its versions removed": (
        f"WITH gone AS (DELETE FROM docshard.documents {_DOCUMENT})"
        f" DELETE FROM docshard.document_versions {_OF} document_id = %(document)s",
        *("I5", "audit rows tell of it, none of a purge"),
    ),
    "an audit row of a version removed": (
        f"DELETE FROM docshard.audit_logs {_ROW} 'version.create'"
        " AND changes -> 'after' ->> 'current_version' = '2'",
        *("I5", "has versions without an audit row: 2"),
    ),
    "an audit row of a rename removed": (
        f"DELETE FROM docshard.audit_logs {_ROW} 'document.update'",
        *("I5", "was changed 7 times, and 6 audit rows tell of it"),
    ),
    "the audit row of a creation removed": (
        f"DELETE FROM docshard.audit_logs {_ROW} 'document.create'",
        *("I5", "has 0 audit rows of its creation"),
    ),
    "an audit row doubled": (
        "INSERT INTO docshard.audit_logs SELECT client_id, gen_random_uuid(), user_id, api_key_id,"
        " action, entity_type, entity_id, changes, ip_address, request_id, content_hash, created_at"
        f" FROM docshard.audit_logs {_ROW} 'version.create'"
        " AND changes -> 'after' ->> 'current_version' = '2'",
        *("I5", "has versions with several audit rows: 2"),
    ),
    "an audit row changed": (
        "UPDATE docshard.audit_logs SET changes = jsonb_set(changes, '{after,original_name}',"
        f" '\"c.txt\"') {_ROW} 'document.update'",
        *("I5", "its audit chain is changed at seq"),
    ),
    "a name changed past the service": (
        f"UPDATE docshard.documents SET original_name = 'c.txt' {_DOCUMENT}",
        *("I5", "is not what its audit rows lead to: original_name"),
    ),
    "metadata changed past the service": (
        f"UPDATE docshard.documents SET metadata = metadata || '{{\"n\": 2}}' {_DOCUMENT}",
        *("I5", "is not what its audit rows lead to: metadata"),
    ),
    "deleted past the service": (
        f"UPDATE docshard.documents SET deleted_at = now() {_DOCUMENT}",
        *("I5", "is not what its audit rows lead to: deleted_at"),
    ),
    "changed and told of nowhere": (
        "UPDATE docshard.documents SET row_version = row_version + 1, updated_at = now()"
        f" {_DOCUMENT}",
        *("I5", "was changed 8 times, and 7 audit rows tell of it"),
    ),
    "a link removed": (
        f"DELETE FROM docshard.audit_chain {_OF} seq = 3",
        *("I5", "its audit chain is removed at seq 3"),
    ),
    "the end of the chain removed": (
        f"DELETE FROM docshard.audit_chain {_OF} seq > 5",
        *("I5", "its audit chain is truncated at seq 6"),
    ),
    "a purge untold": (
        f"DELETE FROM docshard.audit_logs {_OF} action = 'document.purge'",
        *("I5", "none of a purge"),
    ),
}


@pytest.fixture(scope="module")
async def story(proven: Proving) -> tuple[UUID, UUID]:
    """A client and its document, as whole as can be."""
    access = await proven.tenant()
    document = await proven.story(access)
    await proven.link()
    return access.client_id, document


async def test_a_healthy_tenant_is_proven(proven: Proving, story: tuple[UUID, UUID]) -> None:
    report = await proven.prove()
    assert report.findings == []
    assert (report.tenants, report.documents, report.versions) == (1, 1, 3)
    assert (report.audit_rows, report.links, report.blobs) == (11, 11, 3)


@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_is_found(proven: Proving, name: str) -> None:
    access = await proven.tenant()
    document = await proven.story(access)
    await proven.link()
    spoil, rule, told = FAULTS[name]
    values = {"client": access.client_id, "document": document}
    await proven.spoil("shard-1", spoil, **values)
    found = await proven.found(access.client_id)
    assert any(one.rule == Rule(rule) and told in one.what for one in found), found
