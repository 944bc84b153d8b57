"""The hashes of a chain: what they are made of, and what they tell apart."""

import hashlib
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chain.hashing import MerkleTree, RawNumber, content_hash, extend, jsonb_text, origin

LEAVES = st.lists(st.binary(min_size=32, max_size=32), max_size=40)


def split(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + split(leaves[:k]) + split(leaves[k:])).digest()


@given(LEAVES)
def test_the_tree_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(leaf)
    assert tree.root() == split(leaves)


@given(st.recursive(
    st.none() | st.booleans() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_json_is_written_as_it_was_read(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert jsonb_text(json.loads(text, parse_int=RawNumber, parse_float=RawNumber)) == text


@pytest.mark.parametrize("number", ["1.50", "100000000000000000000000001", "0.1000", "-0"])
def test_numbers_keep_their_digits(number: str) -> None:
    text = f'{{"n": [{number}]}}'
    assert jsonb_text(json.loads(text, parse_int=RawNumber, parse_float=RawNumber)) == text


def test_chains_and_places_have_hashes_of_their_own() -> None:
    one, two = origin(UUID(int=1)), origin(UUID(int=2))
    leaf = hashlib.sha256(b"a row").digest()
    assert len({one, two, extend(one, 1, leaf), extend(two, 1, leaf), extend(one, 2, leaf)}) == 5


def test_a_row_hashes_as_postgresql_writes_it() -> None:
    nobody = UUID(int=0)
    row = {
        **{"client_id": nobody, "id": nobody, "user_id": None, "api_key_id": None},
        **{"action": 'a"b', "entity_type": "é", "entity_id": nobody, "changes": '{"a": 1.50}'},
        **{"ip_address": "::1", "request_id": None},
        "created_at": datetime(2026, 1, 31, 12, tzinfo=UTC),
    }
    zero = f'"{nobody}"'
    text = (
        f'[{zero}, {zero}, null, null, "a\\"b", "é", {zero}, {{"a": 1.50}}, "::1", null,'
        ' "2026-01-31T12:00:00.000000Z"]'
    )
    assert content_hash(row) == hashlib.sha256(text.encode()).digest()
