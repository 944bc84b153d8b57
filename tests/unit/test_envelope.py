"""Encrypted fields: open in their place, nowhere else, and never twice the same."""

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.keys.envelope import FieldPlace, SealBroken, key_id, seal, unseal
from services.keys.material import Purpose
from tests.unit.keys import new_key

KEY = new_key(Purpose.FIELD_ENCRYPTION)
PLACE = FieldPlace("users", "email", uuid4())


@given(st.binary(max_size=500))
def test_a_value_reads_back_and_says_its_key(plain: bytes) -> None:
    sealed = seal(KEY, PLACE, plain)
    assert unseal(KEY, PLACE, sealed) == plain
    assert key_id(sealed) == KEY.id
    assert len(sealed) == 1 + 16 + 12 + len(plain) + 16


def test_the_same_value_never_looks_the_same() -> None:
    assert len({seal(KEY, PLACE, b"ann@example.org") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, table="clients"),
        replace(PLACE, column="mobile"),
        replace(PLACE, row_id=uuid4()),
    ],
)
def test_a_moved_value_does_not_open(elsewhere: FieldPlace) -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, elsewhere, seal(KEY, PLACE, b"x"))


@given(position=st.integers(0, 45), bit=st.integers(0, 7))
def test_one_changed_bit_is_noticed(position: int, bit: int) -> None:
    sealed = bytearray(seal(KEY, PLACE, b"x"))
    sealed[position] ^= 1 << bit
    with pytest.raises(SealBroken):
        unseal(KEY, PLACE, bytes(sealed))


@given(st.binary(max_size=60))
def test_noise_does_not_open(noise: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, PLACE, noise)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SealBroken):
        unseal(new_key(Purpose.FIELD_ENCRYPTION), PLACE, seal(KEY, PLACE, b"x"))
