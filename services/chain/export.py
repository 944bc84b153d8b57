"""Exporting a chain: read in order, checked on the way, up to a signed head."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from services.chain.bundle import Writer
from services.chain.heads import Head, Heads, public_key
from services.chain.sources import ChainSource, seq_reaching
from services.chain.verification import Extent
from services.chain.walk import LATE, Walked, beginning, step
from services.errors import Conflict, KeysUnavailable
from services.keys.keyring import Keyring

_PAGE: Final = 200


async def export(
    source: ChainSource, heads: Heads, keyring: Keyring, extent: Extent, folder: Path
) -> dict[str, Any]:
    """Write the rows of the extent into an empty folder; answers the manifest.

    It ends at the first signed head behind the extent, so a little more may be in it than was asked
    for, and nothing that is not vouched for.

    Raises:
        Conflict: nothing is signed yet, or the chain is not sound, or rows of it are archived.
    """
    start, head = await _bounds(source, heads, extent)
    key = await public_key(keyring, head.kid)
    if key is None:
        raise KeysUnavailable("The key that signed the head is not at hand.")
    writer, walked = Writer(folder, start), start
    while walked.seq < head.seq:
        links = list(await source.links(walked.seq, head.seq, _PAGE))
        found = [] if links else [walked.seq + 1]
        for link in links:
            walked, faults = step(walked, link, heads.by_seq)
            found += [fault.seq for fault in faults]
        if found:
            raise Conflict(f"The chain is not sound at seq {min(found)}, or was archived there.")
        writer.add(links)
    return writer.finish(head, key)


async def _bounds(source: ChainSource, heads: Heads, extent: Extent) -> tuple[Walked, Head]:
    start, head = beginning(source.client_id), heads.newest
    if extent.since is not None:
        first = await seq_reaching(source, extent.since - LATE)
        before = await source.link_at(first - 1)
        start = start if before is None else Walked(first - 1, before[1])
    if extent.until is not None:
        last = await seq_reaching(source, extent.until + LATE) - 1
        head = heads.covering(last) or head
    if head is None or head.seq <= start.seq:
        raise Conflict("No row of that time is vouched for yet: heads are signed once a minute.")
    return start, head
