"""Signed values: what we gave out comes back, anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.keys.material import Purpose
from services.keys.signing import MAX_CHARACTERS, BadSignature, Signer, sign, unsign
from tests.unit.keys import HeldKeys, new_key

KEY = new_key(Purpose.TOKEN_SIGNING)


@given(context=st.binary(max_size=40), payload=st.binary(max_size=200))
def test_a_value_reads_back(context: bytes, payload: bytes) -> None:
    text = sign(KEY, context, payload)
    assert unsign(KEY, context, text) == payload
    assert text.isascii()
    assert all(character.isalnum() or character in "-_" for character in text)


@given(data=st.data())
def test_one_changed_character_is_refused(data: st.DataObject) -> None:
    text = sign(KEY, b"list", b"payload")
    position = data.draw(st.integers(0, len(text) - 1))
    replacement = data.draw(st.characters(codec="utf-8"))
    changed = text[:position] + replacement + text[position + 1 :]
    if changed != text:
        with pytest.raises(BadSignature):
            unsign(KEY, b"list", changed)


@given(st.text(max_size=200))
def test_noise_is_refused(text: str) -> None:
    with pytest.raises(BadSignature):
        unsign(KEY, b"", text)


def test_a_value_is_nothing_in_another_context() -> None:
    text = sign(KEY, b"cursor", b"x")
    for context in (b"", b"cursorx", b"curso", b"consistency"):
        with pytest.raises(BadSignature):
            unsign(KEY, context, text)


def test_context_and_payload_do_not_flow_into_each_other() -> None:
    assert sign(KEY, b"ab", b"c")[24:66] != sign(KEY, b"a", b"bc")[24:66]


@pytest.mark.parametrize("change", ["=", "\n", " ", "A", "é", "\ud800"])
def test_additions_are_refused(change: str) -> None:
    text = sign(KEY, b"", b"x")
    for changed in (text + change, change + text):
        with pytest.raises(BadSignature):
            unsign(KEY, b"", changed)


def test_endless_values_are_refused() -> None:
    with pytest.raises(BadSignature):
        unsign(KEY, b"", "A" * (MAX_CHARACTERS + 1))


async def test_after_a_rotation_old_values_still_read() -> None:
    old, new = new_key(Purpose.TOKEN_SIGNING), new_key(Purpose.TOKEN_SIGNING)
    text = Signer(HeldKeys(old)).sign(b"", b"x")
    assert await Signer(HeldKeys(new, old)).unsign(b"", text) == b"x"
    with pytest.raises(BadSignature):
        await Signer(HeldKeys(new)).unsign(b"", text)


async def test_keys_of_another_purpose_sign_nothing() -> None:
    other = new_key(Purpose.FIELD_ENCRYPTION)
    with pytest.raises(BadSignature):
        await Signer(HeldKeys(KEY, other)).unsign(b"", sign(other, b"", b"x"))
