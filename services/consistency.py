"""The Consistency-Token: which write a later read must see.

It names the client, the shard that took the write, the epoch, and a place in that shard's WAL
behind the commit. Tenants treat it as opaque; signed, it cannot be made to wait for the future.
"""

from dataclasses import dataclass
from uuid import UUID

import orjson

from services.errors import InvalidRequest
from services.keys.signing import BadSignature, Signer

HEADER = "Consistency-Token"
_CONTEXT = b"consistency\0"


@dataclass(frozen=True, slots=True)
class ConsistencyToken:
    """A write's place. `lsn` counts bytes from the start of the timeline's WAL."""

    client_id: UUID
    shard: str
    epoch: int
    timeline: int
    lsn: int


class ConsistencyTokens:
    """Gives out tokens and takes them back."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def encode(self, token: ConsistencyToken) -> str:
        """Make the header's value."""
        place = [token.shard, token.epoch, token.timeline, token.lsn]
        return self._signer.sign(_context(token.client_id), orjson.dumps(place))

    async def decode(self, client_id: UUID, text: str) -> ConsistencyToken:
        """Read the header's value as a token of this client.

        Raises:
            InvalidRequest: tampered with, or another client's.
            KeysUnavailable.
        """
        try:
            payload = await self._signer.unsign(_context(client_id), text)
        except BadSignature as error:
            raise InvalidRequest.at(
                f"#{HEADER}", "This Consistency-Token was not given out for this client."
            ) from error
        return ConsistencyToken(client_id, *orjson.loads(payload))


def _context(client_id: UUID) -> bytes:
    return _CONTEXT + client_id.bytes
