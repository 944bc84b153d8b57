"""Download names: harmless in the header, right for people."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.blobs.disposition import attachment


def test_a_plain_name() -> None:
    value = attachment("report.pdf")
    assert value == "attachment; filename=\"report.pdf\"; filename*=UTF-8''report.pdf"


def test_a_name_in_other_letters() -> None:
    value = attachment("Résumé 日本 😀.pdf")
    assert 'filename="R_sum_ __ _.pdf"' in value
    assert unquote(value.split("''")[1]) == "Résumé 日本 😀.pdf"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ('a"; x="b.txt', 'a"; x="b.txt'),
        ("a\r\nSet-Cookie: x=1", "aSet-Cookie: x=1"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\x.ini", "x.ini"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\x00", "download"),
        ("..", "download"),
        ("", "download"),
        ("\ud800.txt", "txt"),
        ("100%.txt", "100%.txt"),
    ],
)
def test_tricks_are_taken_out(name: str, kept: str) -> None:
    assert unquote(attachment(name).split("''")[1]) == kept


def test_a_long_name_keeps_its_suffix() -> None:
    name = unquote(attachment("x" * 1000 + ".tar").split("''")[1])
    assert name.endswith(".tar")
    assert len(name) < 160


@given(st.text(alphabet=st.characters(), max_size=300))
def test_the_header_is_always_printable_ascii_with_one_quoted_name(name: str) -> None:
    value = attachment(name)
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2
    assert "\\" not in value
