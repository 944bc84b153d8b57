"""The proof of I5 to I8: silent about what is as it should be, and blind to nothing that is not.

Whoever may do everything on a shard does his worst to one document, or to one tenant, each; one
proof of the whole fleet then has to tell of each of them, and of nobody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from string import Template
from uuid import UUID, uuid4

import pytest

from global_db import shard_catalog
from global_db.address import NodeAddress
from services.blobs.upload import Expected
from services.fleet.invariants.proof import Finding, Report, Rule
from shards.history import HISTORY
from tests.integration.databases import NEW_CLIENT
from tests.integration.desk import single
from tests.integration.proving import SETTLED, Proving
from tests.integration.scene import INSERT

_WORDS = {
    "own": "client_id = %(client)s",
    "document": "client_id = %(client)s AND id = %(document)s",
    "version": "client_id = %(client)s AND document_id = %(document)s AND version_number",
    "row": "client_id = %(client)s AND entity_id = %(document)s AND action",
    "second": "'version.create' AND changes -> 'after' ->> 'current_version' = '2'",
}

ON_DOCUMENTS = {
    "a version removed": (
        "DELETE FROM docshard.document_versions WHERE $version = 2",
        *("I7", "has 2 versions, numbered 1 to 3"),
    ),
    "the newest version removed": (
        "DELETE FROM docshard.document_versions WHERE $version = 3",
        *("I7", "says that version 3 is its newest; the newest is 2"),
    ),
    "the current version set back": (
        "UPDATE docshard.documents SET current_version = 2 WHERE $document",
        *("I7", "says that version 2 is its newest; the newest is 3"),
    ),
    "a version changed": (
        "UPDATE docshard.document_versions SET checksum_sha256 = sha256('x') WHERE $version = 1",
        *("I7", "not what their audit rows tell: 1"),
    ),
    "a version dated back": (
        "UPDATE docshard.document_versions SET created_at = created_at - interval '1 s'"
        " WHERE $version = 2",
        *("I7", "not what their audit rows tell: 2"),
    ),
    "a content changed": (
        "UPDATE docshard.documents SET checksum_sha256 = sha256('x') WHERE $document",
        *("I7", "repeats other content than that of its newest version 3"),
    ),
    "a document removed": (
        "DELETE FROM docshard.documents WHERE $document",
        *("I7", "is not there, and 3 versions of it are"),
    ),
    "a document removed with its versions": (
        "WITH gone AS (DELETE FROM docshard.documents WHERE $document)"
        " DELETE FROM docshard.document_versions WHERE $version > 0",
        *("I5", "is not there, and 7 audit rows tell of it, none of a purge"),
    ),
    "the audit row of a version removed": (
        "DELETE FROM docshard.audit_logs WHERE $row = $second",
        *("I5", "has versions without an audit row: 2"),
    ),
    "the audit row of a version doubled": (
        "INSERT INTO docshard.audit_logs SELECT client_id, gen_random_uuid(), user_id, api_key_id,"
        " action, entity_type, entity_id, changes, ip_address, request_id, content_hash, created_at"
        " FROM docshard.audit_logs WHERE $row = $second",
        *("I5", "has versions with several audit rows: 2"),
    ),
    "the audit row of a rename removed": (
        "DELETE FROM docshard.audit_logs WHERE $row = 'document.update'",
        *("I5", "was changed 7 times, and 6 audit rows tell of it"),
    ),
    "the audit row of a creation removed": (
        "DELETE FROM docshard.audit_logs WHERE $row = 'document.create'",
        *("I5", "has 0 audit rows of its creation"),
    ),
    "an audit row changed": (
        "UPDATE docshard.audit_logs SET changes = jsonb_set(changes, '{after,original_name}',"
        " '\"c.txt\"') WHERE $row = 'document.update'",
        *("I5", "is not what its audit rows lead to: original_name"),
    ),
    "a name changed past the service": (
        "UPDATE docshard.documents SET original_name = 'c.txt' WHERE $document",
        *("I5", "is not what its audit rows lead to: original_name"),
    ),
    "metadata changed past the service": (
        "UPDATE docshard.documents SET metadata = metadata || '{\"n\": 2}' WHERE $document",
        *("I5", "is not what its audit rows lead to: metadata"),
    ),
    "deleted past the service": (
        "UPDATE docshard.documents SET deleted_at = now() WHERE $document",
        *("I5", "is not what its audit rows lead to: deleted_at"),
    ),
    "changed and told of nowhere": (
        "UPDATE docshard.documents SET row_version = row_version + 1, updated_at = now()"
        " WHERE $document",
        *("I5", "was changed 8 times, and 7 audit rows tell of it"),
    ),
}
ON_TENANTS = {
    "a link removed": (
        "DELETE FROM docshard.audit_chain WHERE $own AND seq = 3",
        *("I5", "its audit chain is removed at seq 3"),
    ),
    "the end of the chain removed": (
        "DELETE FROM docshard.audit_chain WHERE $own AND seq > 5",
        *("I5", "its audit chain is truncated at seq 6"),
    ),
    "an audit row removed": (
        "DELETE FROM docshard.audit_logs WHERE $row = 'document.delete'",
        *("I5", "its audit chain is missing at seq 6"),
    ),
    "an audit row changed behind": (
        "UPDATE docshard.audit_logs SET user_id = gen_random_uuid() WHERE $row = 'document.delete'",
        *("I5", "its audit chain is changed at seq 6"),
    ),
    "a blob's row changed": (
        "UPDATE docshard.document_versions SET s3_key = s3_key || 'x' WHERE $version = 2",
        *("I8", "is absent"),
    ),
    "the row of a purge removed": (
        "DELETE FROM docshard.audit_logs WHERE $own AND action = 'document.purge'",
        *("I5", "none of a purge"),
    ),
    "a month said to be archived": (
        "INSERT INTO docshard.audit_archives (client_id, archive_id, month, s3_key)"
        " VALUES (%(client)s, gen_random_uuid(), date_trunc('month', now()), 'nowhere')",
        *("I5", "has a key that the service never gives"),
    ),
    "a month hidden": (
        "WITH gone AS (DELETE FROM docshard.audit_logs WHERE $own),"
        "     id AS (SELECT gen_random_uuid() AS id)"
        " INSERT INTO docshard.audit_archives (client_id, archive_id, month, s3_key)"
        " SELECT %(client)s, id, date_trunc('month', now()),"
        "        format('audit-archive/%%s/%%s/%%s.jsonl.gz', %(client)s::text,"
        "               to_char(now(), 'YYYY-MM'), id) FROM id",
        *("I5", "is of an archive that the global database does not know"),
    ),
}


async def move_rows(proven: Proving, client: UUID, _: UUID) -> None:
    """A row of the tenant comes to be on the other shard."""
    await proven.spoil(INSERT, "shard-2", client=client, id=uuid4())


async def change_directory(proven: Proving, client: UUID, _: UUID) -> None:
    await proven.workplace.fleet.place(client, "shard-2", 1)


async def age_directory(proven: Proving, client: UUID, _: UUID) -> None:
    await proven.spoil(
        "UPDATE docshard.residency SET epoch = 7 WHERE client_id = %(client)s", client=client
    )


async def lose_residency(proven: Proving, client: UUID, _: UUID) -> None:
    await proven.spoil("DELETE FROM docshard.residency WHERE client_id = %(client)s", client=client)


async def blob_of(proven: Proving, client: UUID, document: UUID) -> str:
    keys = [
        key async for page in proven.router.blobs.list_keys(f"{client}/{document}/") for key in page
    ]
    return keys[0]


async def remove_blob(proven: Proving, client: UUID, document: UUID) -> None:
    await proven.router.blobs.delete(await blob_of(proven, client, document))


async def shorten_blob(proven: Proving, client: UUID, document: UUID) -> None:
    await overwrite(proven, await blob_of(proven, client, document), b"x")


async def change_blob(proven: Proving, client: UUID, document: UUID) -> None:
    """As long as before."""
    await overwrite(proven, await blob_of(proven, client, document), b"ono")


async def overwrite(proven: Proving, key: str, content: bytes) -> None:
    expected = Expected(len(content), None)
    await proven.router.blobs.put_stream(key, single(content), "text/plain", expected)


ELSEWHERE = {
    "a copy on another shard": (move_rows, "I6", "keeps rows of"),
    "another shard in the directory": (change_directory, "I6", "does not know"),
    "an older directory": (age_directory, "I6", "at epoch 7, the directory at 1"),
    "no residency": (lose_residency, "I6", "does not know"),
    "a blob removed": (remove_blob, "I8", "is absent"),
    "a blob shortened": (shorten_blob, "I8", "has 1 bytes, not 3"),
    "a blob changed": (change_blob, "I8", "has another SHA-256"),
}


async def unreachable(proven: Proving, tenants: int) -> None:
    """A third shard that does not answer, and its tenants."""
    nobody = NodeAddress(name="nobody", host="127.0.0.1", port=9)
    cluster = proven.sources.data.global_db
    async with cluster.write() as connection:
        await shard_catalog.register(connection, "shard-3", [nobody], weight=1)
        await shard_catalog.set_revision(connection, "shard-3", HISTORY.head)
    for _ in range(tenants):
        await proven.direct(NEW_CLIENT, id=uuid4(), shard="shard-3", epoch=1)


@dataclass(frozen=True)
class Spoilt:
    """A whole fleet's proof, and whom each fault befell."""

    report: Report
    documents: Mapping[str, UUID]
    tenants: Mapping[str, UUID]
    healthy: UUID
    several: UUID
    """Whose documents befell all faults of documents."""

    def of_document(self, name: str) -> list[Finding]:
        return [one for one in self.report.findings if one.document == self.documents[name]]

    def of_tenant(self, client: UUID) -> list[Finding]:
        return [one for one in self.report.findings if one.client == client]


@pytest.fixture(scope="module")
async def spoilt(proven: Proving) -> Spoilt:
    several, healthy = await proven.tenant(), await proven.tenant("shard-2")
    made = await proven.stories([several] * len(ON_DOCUMENTS) + [healthy] * 2)
    documents = dict(zip(ON_DOCUMENTS, made, strict=False))
    await proven.purged(healthy)
    others = {name: await proven.tenant() for name in (*ON_TENANTS, *ELSEWHERE)}
    stories = dict(zip(others, await proven.stories(others.values()), strict=True))
    tenants = {name: access.client_id for name, access in others.items()}
    await proven.purged(others["the row of a purge removed"])
    await proven.link()
    for name, (spoil, *_) in ON_DOCUMENTS.items():
        text = Template(spoil).substitute(_WORDS)
        await proven.spoil(text, client=several.client_id, document=documents[name])
    for name, (spoil, *_) in ON_TENANTS.items():
        text = Template(spoil).substitute(_WORDS)
        await proven.spoil(text, client=tenants[name], document=stories[name])
    for name, (act, *_) in ELSEWHERE.items():
        await act(proven, tenants[name], stories[name])
    await unreachable(proven, 2)
    report = await proven.prove(replace(SETTLED, reads_blobs=True))
    return Spoilt(report, documents, tenants, healthy.client_id, several.client_id)


@pytest.mark.parametrize("name", ON_DOCUMENTS)
def test_what_befell_a_document_is_told(spoilt: Spoilt, name: str) -> None:
    _, rule, told = ON_DOCUMENTS[name]
    found = spoilt.of_document(name)
    assert any(one.rule == Rule(rule) and told in one.what for one in found), found


@pytest.mark.parametrize("name", [*ON_TENANTS, *ELSEWHERE])
def test_what_befell_a_tenant_is_told(spoilt: Spoilt, name: str) -> None:
    _, rule, told = ON_TENANTS.get(name) or ELSEWHERE[name]
    found = spoilt.of_tenant(spoilt.tenants[name])
    assert any(one.rule == Rule(rule) and told in one.what for one in found), found


def test_nobody_else_is_told_of(spoilt: Spoilt) -> None:
    """But for those that nobody could look at: shard-3 does not answer, and three tenants are at
    home nowhere."""
    assert spoilt.of_tenant(spoilt.healthy) == []
    befallen = {spoilt.several, *spoilt.tenants.values()}
    others = [one for one in spoilt.report.findings if one.client not in befallen]
    assert {(one.rule, one.subject, one.what.split(",")[0]) for one in others} == {
        (Rule.UNVERIFIED, "shard-1", "2 tenants were not looked at"),
        (Rule.UNVERIFIED, "shard-2", "1 tenants were not looked at"),
        (Rule.UNVERIFIED, "shard-3", "2 tenants were not looked at"),
        (Rule.UNVERIFIED, "shard-3", "its tenants were not compared with the directory"),
    }
    documents = {one.document for one in spoilt.of_tenant(spoilt.several)} - {None}
    assert documents == set(spoilt.documents.values())
