"""The Consistency-Token: which write a later read must see.

It names the client, the shard that took the write, the epoch, and a place in that shard's WAL
behind the commit. Tenants treat it as opaque; signed, it cannot be made to wait for the future.
With the transaction's number and a place before its COMMIT a server can tell, after a failover,
whether the write came over.
"""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

import orjson

from global_db.position import Position
from services.errors import InvalidRequest
from services.keys.signing import BadSignature, Signer
from shards.tenants import Write

HEADER = "Consistency-Token"
_CONTEXT = b"consistency\0"
_MOST_GENUINE = 10_000


@dataclass(frozen=True, slots=True)
class ConsistencyToken:
    """A write's place: on which shard, and where in its WAL."""

    client_id: UUID
    shard: str
    epoch: int
    position: Position

    @property
    def write(self) -> Write:
        """The same as the layers below know it."""
        return Write(self.epoch, self.position)

    @property
    def order(self) -> tuple[int, int, int]:
        """Of two tokens of one client the greater covers the other's write."""
        return (self.epoch, self.position.timeline, self.position.lsn)


class ConsistencyTokens:
    """Gives out tokens and takes them back.

    A caller sends one token with many reads: those that were found genuine of late are remembered.
    """

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._genuine: OrderedDict[tuple[UUID, str], ConsistencyToken] = OrderedDict()

    def encode(self, token: ConsistencyToken) -> str:
        """Make the header's value."""
        position = token.position
        place = [token.shard, token.epoch, position.timeline, position.lsn]
        place += [position.written, position.xid]
        return self._signer.sign(_context(token.client_id), orjson.dumps(place))

    async def decode(self, client_id: UUID, text: str) -> ConsistencyToken:
        """Read the header's value as a token of this client.

        Raises:
            InvalidRequest: tampered with, or another client's.
            KeysUnavailable.
        """
        known = self._genuine.get((client_id, text))
        if known is not None:
            return known
        token = await self._verified(client_id, text)
        self._genuine[client_id, text] = token
        if len(self._genuine) > _MOST_GENUINE:
            self._genuine.popitem(last=False)
        return token

    async def _verified(self, client_id: UUID, text: str) -> ConsistencyToken:
        try:
            payload = await self._signer.unsign(_context(client_id), text)
        except BadSignature as error:
            raise InvalidRequest.at(
                f"#{HEADER}", "This Consistency-Token was not given out for this client."
            ) from error
        shard, epoch, timeline, lsn, *more = orjson.loads(payload)
        # Tokens of earlier releases end here: such a write counts as lost behind a fork.
        written, xid = more or (lsn, None)
        return ConsistencyToken(client_id, shard, epoch, Position(timeline, lsn, written, xid))


def _context(client_id: UUID) -> bytes:
    return _CONTEXT + client_id.bytes
