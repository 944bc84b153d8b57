"""What a drill looks at on the restored server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from global_db import soundness as any_cluster
from global_db.connection import RawConnection
from global_db.soundness import Log, Sung, asking
from services.blobs.store import BlobAbsent, BlobStore
from services.chain import heads as chain_heads
from services.errors import ServiceError
from services.fleet.portability.reach import Reach
from services.settings import Settings
from shards import soundness
from shards.soundness import Content

_TENANTS: Final = 20
_CONTENTS: Final = 20
_COPIED_SECONDS: Final = 900.0
"""A copy in another region may lack what is younger."""
_MISSING: Final = "it is missing"
_GLOBAL: Final = "global"


@dataclass(frozen=True, slots=True)
class Server:
    """A restored server of a cluster: the folder of its socket, and its port."""

    cluster: str
    folder: str
    port: int


@dataclass(slots=True)
class Checked:
    """What was looked at, and what is wrong."""

    sung: Sung = field(default_factory=lambda: Sung(None, 0))
    log: Log = field(default_factory=lambda: Log(0, 0, 0))
    heads: int = 0
    contents: int = 0
    contents_from: str = ""
    faults: list[str] = field(default_factory=list)


async def check(reach: Reach, settings: Settings, server: Server, since: datetime) -> Checked:
    """Look at canaries since a moment, at audit logs and signed heads, and at some contents.

    Raises:
        psycopg.Error: the restored server does not answer. ServiceError: the living fleet does not.
    """
    checked = Checked()
    async with asking(server.folder, server.port, settings.database) as connection:
        checked.sung = await any_cluster.sung(connection, since)
        if server.cluster == _GLOBAL:
            checked.log = await any_cluster.global_log(connection)
        else:
            checked.log = await soundness.tenants_log(connection)
            await _heads(reach, connection, checked)
            await _contents(reach, connection, checked)
    if checked.log.broken:
        checked.faults.append(f"{checked.log.broken} rows or links of audit logs are not sound")
    return checked


async def _heads(reach: Reach, connection: RawConnection, checked: Checked) -> None:
    """What was signed for some tenants is what their restored chains say."""
    for client_id in await soundness.some_tenants(connection, _TENANTS):
        signed = await chain_heads.load(reach.data, reach.keyring, client_id)
        there = await soundness.hashes(connection, client_id, list(signed.by_seq))
        checked.heads += len(there)
        checked.faults += _unlike(client_id, signed, there)


def _unlike(client_id: UUID, signed: chain_heads.Heads, there: dict[int, bytes]) -> Iterator[str]:
    for seq, chain_hash in there.items():
        if signed.by_seq[seq].chain_hash != chain_hash:
            yield f"the audit chain of {client_id} is not what was signed at seq {seq}"


async def _contents(reach: Reach, connection: RawConnection, checked: Checked) -> None:
    """Some contents, read from the copy in another region when there is one."""
    wanted = await soundness.some_contents(connection, _CONTENTS)
    copied = bool(reach.copies)
    checked.contents_from = "the copy" if copied else "the bucket itself"
    for one in wanted:
        checked.contents += 1
        fault = await _read(reach.copies[0] if copied else reach.blobs, one)
        if fault == _MISSING and copied and one.age_seconds < _COPIED_SECONDS:
            fault = await _read(reach.blobs, one)
        if fault is not None:
            checked.faults.append(f"{one.s3_key} in {checked.contents_from}: {fault}")


async def _read(store: BlobStore, wanted: Content) -> str | None:
    digest, size = hashlib.sha256(), 0
    try:
        with closing(await store.open_stream(wanted.s3_key)) as reader:
            async for chunk in reader:
                digest.update(chunk)
                size += len(chunk)
    except BlobAbsent:
        return _MISSING
    except ServiceError as error:
        return error.detail or "it cannot be read"
    if (size, digest.hexdigest()) != (wanted.size, wanted.sha256):
        return "it is not what was stored"
    return None
