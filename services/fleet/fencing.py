"""Does anybody listen at a server's address? Asked before another cluster takes its place.

I3: two primaries of one shard would each take writes, at the same epochs, from whoever still speaks
to them: neither epochs nor residency tell them apart, since both are copies of one history. What
parts them is that one of them does not run. A connection that is refused says so: the system there
lives and no program has the port. No answer at all says nothing: the host may be down, or we alone
may be cut off from it while routers are not. Then a person has to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Final

from global_db.address import NodeAddress
from services.fleet.finding import Finding

_SECONDS: Final = 3.0


class Sign(StrEnum):
    """What came back from an address."""

    LISTENS = "listens"
    """Something accepts connections: a server, also one that hangs or is starting."""
    REFUSES = "refuses"
    """The host is there, and nothing has the port."""
    SILENT = "silent"
    """Nothing came back: nobody knows."""


async def sign_of_life(host: str, port: int) -> Sign:
    """Knock once."""
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return Sign.REFUSES
    except (OSError, TimeoutError):
        return Sign.SILENT
    writer.close()
    return Sign.LISTENS


async def unfenced(nodes: Sequence[NodeAddress], known_off: Collection[str]) -> list[Finding]:
    """Which of these servers may still take writes; `known_off` are nodes that a person vouches
    for, who counts where nothing answers and nowhere else."""
    signs = await asyncio.gather(*(sign_of_life(node.host, node.port) for node in nodes))
    found = (_judge(node, sign, known_off) for node, sign in zip(nodes, signs, strict=True))
    return [one for one in found if one is not None]


def _judge(node: NodeAddress, sign: Sign, known_off: Collection[str]) -> Finding | None:
    at = f"{node.name} ({node.host}:{node.port})"
    if sign is Sign.LISTENS:
        what = "still answers: two servers would take writes of the same tenants"
        return Finding(at, what, "stop it, and whatever would start it again")
    if sign is Sign.SILENT and node.name not in known_off:
        what = "says nothing: it may be off, or only we cannot reach it"
        advice = f"see that it is off and stays so, then say --fenced {node.name}"
        return Finding(at, what, advice)
    return None
