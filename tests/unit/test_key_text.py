"""API keys: one shape, a checksum that catches typos, nothing secret in what we keep."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from services.identity import key_text


def test_a_key_has_the_shape_that_is_promised() -> None:
    key = key_text.generate()
    assert len(key.text) == 4 + 43 + 6
    assert key.text.startswith("dsk_")
    assert key.text[4:].isalnum()
    assert key.digest == hashlib.sha256(key.text.encode()).digest()
    assert key.text not in repr(key)
    assert key_text.looks_like_one(key.text)


def test_keys_differ() -> None:
    assert len({key_text.generate().text for _ in range(100)}) == 100


def test_a_key_reads_back() -> None:
    key = key_text.generate()
    assert key_text.parse(key.text) == key


@given(position=st.integers(4, 52), replacement=st.characters(codec="utf-8"))
def test_a_typo_is_refused(position: int, replacement: str) -> None:
    text = key_text.generate().text
    typo = text[:position] + replacement + text[position + 1 :]
    assert (key_text.parse(typo) is None) is (typo != text)


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    assert key_text.parse(text) is None
    assert key_text.parse("dsk_" + text) is None


def test_cut_and_padded_keys_are_refused() -> None:
    text = key_text.generate().text
    for wrong in (text[:-1], text + "0", text + "\n", " " + text, text.lower(), text.upper()):
        assert key_text.parse(wrong) is None
