"""Does anybody listen at a server's address? Asked before another cluster takes its place.

I3: two primaries of one shard would each take writes, at the same epochs, from whoever still speaks
to them: neither epochs nor residency tell them apart, since both are copies of one history. What
parts them is that one of them does not run. On this host a connection that is refused says so. Of
another host neither a refusal nor silence says anything: it may be down, or a firewall may keep us
from it, and not the routers. Then a person has to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Final

from global_db.address import NodeAddress, is_local
from services.fleet.finding import Finding

_SECONDS: Final = 3.0


class Sign(StrEnum):
    """What came back from an address."""

    LISTENS = "listens"
    """Something accepts connections: a server, also one that hangs or is starting."""
    OFF = "off"
    """It would be on this host, and nothing has the port."""
    UNKNOWN = "unknown"
    """Another host does not let us in, or says nothing."""


async def sign_of_life(host: str, port: int) -> Sign:
    """Knock once."""
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return Sign.OFF if is_local(host) else Sign.UNKNOWN
    except (OSError, TimeoutError):
        return Sign.UNKNOWN
    writer.close()
    return Sign.LISTENS


async def unfenced(nodes: Sequence[NodeAddress], known_off: Collection[str]) -> list[Finding]:
    """Which of these servers may still take writes; `known_off` are nodes that a person vouches
    for, who counts where nobody else can know."""
    signs = await asyncio.gather(*(sign_of_life(node.host, node.port) for node in nodes))
    found = (_judge(node, sign, known_off) for node, sign in zip(nodes, signs, strict=True))
    return [one for one in found if one is not None]


def _judge(node: NodeAddress, sign: Sign, known_off: Collection[str]) -> Finding | None:
    at = f"{node.name} ({node.host}:{node.port})"
    if sign is Sign.LISTENS:
        what = "still answers: two servers would take writes of the same tenants"
        return Finding(at, what, "stop it, and whatever would start it again")
    if sign is Sign.UNKNOWN and node.name not in known_off:
        what = "does not answer: it may be off, or only we cannot reach it"
        advice = f"see that it is off and stays so, then say --fenced {node.name}"
        return Finding(at, what, advice)
    return None
