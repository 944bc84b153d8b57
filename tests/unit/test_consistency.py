"""Consistency tokens: read back for their client, refused for any other."""

from uuid import uuid4

import pytest

from global_db.position import Position
from services.consistency import ConsistencyToken, ConsistencyTokens
from services.cursor import Cursors, ListScope
from services.errors import InvalidCursor, InvalidRequest
from services.keys.material import Purpose
from services.keys.signing import Signer
from tests.unit.keys import HeldKeys, new_key

SIGNER = Signer(HeldKeys(new_key(Purpose.TOKEN_SIGNING)))
TOKENS = ConsistencyTokens(SIGNER)
POSITION = Position(timeline=2, lsn=2**63 - 1, written=2**62, xid=2**40)
TOKEN = ConsistencyToken(uuid4(), "shard-1", 3, POSITION)


async def test_a_token_reads_back() -> None:
    assert await TOKENS.decode(TOKEN.client_id, TOKENS.encode(TOKEN)) == TOKEN


async def test_another_clients_token_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await TOKENS.decode(uuid4(), TOKENS.encode(TOKEN))
    assert [error.pointer for error in refusal.value.errors] == ["#Consistency-Token"]


async def test_a_token_is_no_cursor() -> None:
    with pytest.raises(InvalidCursor):
        await Cursors(SIGNER).decode(ListScope("documents", TOKEN.client_id), TOKENS.encode(TOKEN))
