"""Canonical addresses and their digests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.keys.blind_index import blind_index, canonical_email, canonical_mobile
from services.keys.material import Purpose
from tests.unit.keys import new_key


def test_one_digest_for_one_value_under_one_key() -> None:
    key, other = new_key(Purpose.BLIND_INDEX_EMAIL), new_key(Purpose.BLIND_INDEX_MOBILE)
    digest = blind_index(key, "ann@example.org")
    assert len(digest) == 32
    assert digest == blind_index(key, "ann@example.org")
    assert digest != blind_index(key, "bob@example.org")
    assert digest != blind_index(other, "ann@example.org")


@pytest.mark.parametrize(
    "spelling",
    [
        "ann.lee@example.org",
        "Ann.LEE@Example.ORG",
        "  ann.lee@example.org\n",
        "ａnn.lee@example.org",  # full-width a
    ],
)
def test_spellings_of_one_address(spelling: str) -> None:
    assert canonical_email(spelling) == "ann.lee@example.org"


def test_normal_forms_are_one_address() -> None:
    assert canonical_email("Zoe\u0308@example.org") == canonical_email("zo\u00eb@example.org")
    assert canonical_email("straße@example.org") == canonical_email("STRASSE@example.org")


def test_what_differs_stays_different() -> None:
    addresses = ["ann@example.org", "a.nn@example.org", "ann+x@example.org", "ann@example.com"]
    assert len({canonical_email(address) for address in addresses}) == 4


@pytest.mark.parametrize(
    "wrong",
    ["", "ann", "@", "ann@", "@example.org", "a@b@c", "a b@c.org", "a\0b@c.org", "a\u200bb@c.org",
     "\ud800@c.org", "a" * 250 + "@c.org", "ann@exa mple.org", "a\r\nBcc: x@c.org"],
)  # fmt: skip
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="an e-mail address"):
        canonical_email(wrong)


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_canonical_form_is_its_own(local: str, domain: str) -> None:
    try:
        once = canonical_email(f"{local}@{domain}")
    except ValueError:
        return
    assert canonical_email(once) == once


@pytest.mark.parametrize(
    "spelling",
    ["+49301234567", "+49 30 1234567", "+49 (30) 123-45.67", "+49/30/1234567", "＋４９301234567"],
)
def test_spellings_of_one_number(spelling: str) -> None:
    assert canonical_mobile(spelling) == "+49301234567"


@pytest.mark.parametrize(
    "wrong",
    ["", "0301234567", "0049301234567", "+0301234567", "+49 (0) 30 1234567", "+12345",
     "+1234567890123456", "+49 30 CALLME", "++49301234567", "+49301234567;ext=1", "+٤٩٣٠١٢٣٤٥"],
)  # fmt: skip
def test_what_is_no_number_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="telephone number"):
        canonical_mobile(wrong)
