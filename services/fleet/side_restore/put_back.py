"""Putting back what a tenant had: what is missing as it was, what has changed as a new change.

Two kinds of missing documents. One whose purge the audit log tells comes back by a change of its
own, told like any other. One that the log knows nothing of was lost, not removed: its rows come
back as they were, since they are what the log leads to.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from global_db.cluster import Cluster
from global_db.directory import Placement
from services.access.admission import TenantAccess, admit_operator_to_client
from services.audit import Event, record, record_global
from services.errors import Conflict, TenantMoving
from services.failures import global_failures, tenant_failures
from services.fleet.portability.at_once import AtOnce
from services.fleet.portability.layout import NamedBlob, hexadecimal
from services.fleet.portability.reach import QUIET, Progress, Reach
from services.fleet.side_restore.comparison import Comparison
from services.fleet.side_restore.contents import Contents
from services.fleet.side_restore.judgement import Wish, wishes
from services.identity.principal import Origin
from services.ids import new_id
from services.tenant import versions as version_use_cases
from services.tenant.document_state import changed, event, image
from services.tenant.versions import NewContent
from shards import documents, versions
from shards.documents import Document
from shards.residency import Refused
from shards.returning import ORDER, TABLES, LaterChange, Returning, returning
from shards.row_export import columns_of

_PATIENCE_MS: Final = 2_500
_BATCH_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Order:
    """Whom it is about, and the words why; `told` goes into the audit log with what was done."""

    client_id: UUID
    reason: str | None
    told: dict[str, Any]


@dataclass(slots=True)
class PutBack:
    """What was done: rows inserted by table, and documents that were there, by what came back.

    `left`: documents that were not touched, each with why.
    """

    rows: dict[str, int] = field(default_factory=dict)
    documents: dict[Wish, int] = field(default_factory=lambda: dict.fromkeys(Wish, 0))
    left: dict[str, str] = field(default_factory=dict)


async def put_back(
    reach: Reach, contents: Contents, order: Order, found: Comparison, progress: Progress = QUIET
) -> PutBack:
    """Put back all that the comparison found, in one transaction of the tenant.

    Run again it finds what is left. Nothing that is newer is lost: see `judgement`.

    Raises:
        Busy: writers held the tenant. TenantMoving: it has moved since the comparison. Conflict:
        its log has grown meanwhile. ShardUnavailable, DirectoryUnavailable, StorageUnavailable.
    """
    done = PutBack()
    await _Contents(contents, found, done).bring()
    progress.step("contents are there")
    access = admit_operator_to_client(order.client_id, order.reason)
    placement = Placement(order.client_id, found.shard, found.epoch, "active")
    cluster = reach.mover.registry.cluster(found.shard)
    # First: rows that come back as they were leave no other trace.
    await _record(reach, order, {"state": "begun"})
    purged = await _Writing(cluster, placement, access, found, done).write()
    progress.step("rows are put back")
    # A sweep may have been at one of them already: what it took is brought again.
    await _Contents(contents, found, done).bring(frozenset(purged))
    brought = {one.value: count for one, count in done.documents.items()}
    told = {"rows": done.rows, "documents": brought, "left": len(done.left)}
    await _record(reach, order, {"state": "done"} | told)
    return done


@dataclass(frozen=True, slots=True)
class _Contents:
    """Sees that every content is in the bucket before a row names it (I8)."""

    contents: Contents
    found: Comparison
    done: PutBack

    async def bring(self, only: frozenset[str] | None = None) -> None:
        async with AtOnce() as bringing:
            for document, blob in self._named():
                if only is None or blob.s3_key in only:
                    await bringing.start(f"{document} {blob.s3_key}", self._one(document, blob))

    async def _one(self, document: str, blob: NamedBlob) -> None:
        if not await self.contents.ensure(blob):
            self.done.left[document] = f"its content {blob.s3_key} is nowhere"

    def _named(self) -> Iterator[tuple[str, NamedBlob]]:
        for line in self.found.missing("document_versions"):
            row = json.loads(line)
            yield row["document_id"], _blob(row)
        for then, now in self.found.changed():
            if Wish.CONTENT in wishes(then, now):
                yield then["id"], _blob(then)


def _blob(row: dict[str, Any]) -> NamedBlob:
    digest = hexadecimal(row["checksum_sha256"])
    return NamedBlob(row["s3_key"], digest, row["size"], row["mime_type"])


@dataclass(frozen=True, slots=True)
class _Writing:
    cluster: Cluster
    placement: Placement
    access: TenantAccess
    found: Comparison
    done: PutBack

    async def write(self) -> list[str]:
        """The transaction; answers the keys of blobs that were to go."""
        with tenant_failures():
            try:
                async with returning(self.cluster, self.placement, _PATIENCE_MS) as back:
                    await self._rows(back)
                    purged = await self._told(back)
                    await self._changed(back)
            except Refused as error:
                raise TenantMoving("The client has moved since: run the command again.") from error
        return purged

    async def _rows(self, back: Returning) -> None:
        tables = {str(table.name): table for table in TABLES}
        for name in ORDER:
            if name == "audit_chain" and self.found.chain_is_torn:
                continue
            table, put, wanted = tables[name], 0, 0
            for lines in _batches(self._lines(name)):
                put += await back.put(table, columns_of(table), lines)
                wanted += len(lines)
            if name == "audit_chain" and put != wanted:
                raise Conflict("The client's audit log has grown meanwhile: run the command again.")
            self.done.rows[name] = put

    def _lines(self, table: str) -> Iterator[str]:
        """Missing rows, without those of documents that have lost a content."""
        name = {"documents": "id", "document_versions": "document_id"}.get(table)
        for line in self.found.missing(table):
            if name is None or json.loads(line)[name] not in self.done.left:
                yield line

    async def _told(self, back: Returning) -> list[str]:
        """Tell in the audit log of documents that it believes gone, or other than they were."""
        for line in self._lines("documents"):
            document = await documents.lock(back.tenant, UUID(json.loads(line)["id"]))
            if document is None:
                raise Conflict("A document could not be put back: it is of another client.")
            since = await back.told_since(document.id, document.updated_at)
            if since:
                number = document.row_version + sum(one.action != "document.purge" for one in since)
                after = changed(back.tenant, replace(document, row_version=number))
                await documents.update(back.tenant, after)
                told = Event(
                    "document.restore",
                    "document",
                    document.id,
                    _believed(document, since),
                    image(after),
                )
                await record(back.tenant, self.access.caller, told)
        keys = {json.loads(line)["s3_key"] for line in self._lines("document_versions")}
        return await back.forget_purged(sorted(keys))

    async def _changed(self, back: Returning) -> None:
        for then, now in self.found.changed():
            if then["id"] not in self.done.left:
                await self._one(back, then, now)

    async def _one(self, back: Returning, then: dict[str, Any], now: dict[str, Any]) -> None:
        document = await documents.lock(back.tenant, UUID(then["id"]))
        if document is None or document.row_version != now["row_version"]:
            self.done.left[then["id"]] = "it was changed meanwhile: run the command again"
            return
        wished = wishes(then, now)
        fresh: NewContent | None = None
        if Wish.CONTENT in wished:
            fresh = await _content(back, document.id, then)
            if fresh is None:
                self.done.left[then["id"]] = f"its version {then['current_version']} is another one"
                return
        if Wish.UNDELETE in wished:
            back_again = replace(document, deleted_at=None)
            document = await self._store(back, "document.restore", document, back_again)
        if Wish.FIELDS in wished:
            named = replace(
                document, original_name=then["original_name"], metadata=then["metadata"]
            )
            document = await self._store(back, "document.update", document, named)
        if fresh is not None:
            await version_use_cases.append(back.tenant, self.access, document, fresh)
        for wish in wished:
            self.done.documents[wish] += 1

    async def _store(
        self, back: Returning, action: str, before: Document, after: Document
    ) -> Document:
        stored = changed(back.tenant, after)
        await documents.update(back.tenant, stored)
        await record(back.tenant, self.access.caller, event(action, before, stored))
        return stored


async def _content(back: Returning, document: UUID, then: dict[str, Any]) -> NewContent | None:
    """The content of then, as the version that is there has it; None when that is another one."""
    version = await versions.find(back.tenant, document, then["current_version"])
    if version is None or version.checksum_sha256.hex() != hexadecimal(then["checksum_sha256"]):
        return None
    return NewContent(
        version_id=new_id(),
        s3_key=version.s3_key,
        mime_type=version.mime_type,
        size=version.size,
        checksum_sha256=version.checksum_sha256,
        detected_type=version.detected_type,
    )


def _believed(document: Document, since: list[LaterChange]) -> dict[str, Any] | None:
    """What the audit log believes a document to be, that was as `document` is; None: not there."""
    believed: dict[str, Any] | None = image(document)
    for one in since:
        if one.action == "document.purge":
            believed = None
        elif one.after is not None:
            believed = (believed or {}) | one.after
    return believed


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(itertools.islice(lines, _BATCH_ROWS)):
        yield batch


async def _record(reach: Reach, order: Order, told: dict[str, Any]) -> None:
    event_ = Event("client.put_back", "client", order.client_id, None, order.told | told)
    with global_failures():
        async with reach.data.global_db.write() as connection:
            await record_global(connection, Origin(reason=order.reason), event_, order.client_id)


__all__ = ["Order", "PutBack", "put_back"]
