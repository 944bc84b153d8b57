"""Where an export comes from: the fleet as it lives, or what a backup has of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from global_db.audit_heads import Head
from services.blobs.store import BlobAbsent, BlobReader
from services.chain import heads as chain_heads
from services.chain.heads import Heads
from services.errors import ServiceError
from services.fleet.audit_heads import sign_chain
from services.fleet.portability.layout import NamedBlob
from services.fleet.portability.reach import Progress, Reach, home_snapshot
from shards.row_export import RowSnapshot


class Source(Protocol):
    """Gives a client's rows, contents, and what vouches for its audit log."""

    async def heads(self, reach: Reach, client_id: UUID, progress: Progress) -> Heads:
        """The signed heads of the chain, asked for before the rows."""

    def snapshot(
        self, reach: Reach, client_id: UUID
    ) -> AbstractAsyncContextManager[tuple[str, RowSnapshot]]:
        """The rows of one instant, and the shard's name."""

    def places(self, reach: Reach, blob: NamedBlob) -> AsyncGenerator[BlobReader]:
        """Every object that may be this blob, the nearest first; each is closed after its turn."""

    def vouching(self, folder: Path, heads: Mapping[int, Head]) -> dict[int, Head]:
        """Those of the heads that speak of the log whose rows are in `folder`."""


@dataclass(frozen=True, slots=True)
class Living:
    """The client as it is."""

    async def heads(self, reach: Reach, client_id: UUID, progress: Progress) -> Heads:
        """The heads as they are before the snapshot: the chain in it reaches as far at least."""
        try:
            await sign_chain(reach.data, reach.keyring, client_id)
        except ServiceError as error:
            progress.step(f"the audit chain is signed up to the last minute: {error.detail}")
        return await chain_heads.load(reach.data, reach.keyring, client_id)

    def snapshot(
        self, reach: Reach, client_id: UUID
    ) -> AbstractAsyncContextManager[tuple[str, RowSnapshot]]:
        """Where it lives."""
        return home_snapshot(reach, client_id)

    async def places(self, reach: Reach, blob: NamedBlob) -> AsyncGenerator[BlobReader]:
        """The bucket."""
        try:
            reader = await reach.blobs.open_stream(blob.s3_key)
        except BlobAbsent:
            return
        with closing(reader):
            yield reader

    def vouching(self, _: Path, heads: Mapping[int, Head]) -> dict[int, Head]:
        """All."""
        return dict(heads)


LIVING: Final = Living()
