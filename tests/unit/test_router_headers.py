"""Preconditions, digests and ranges, as the RFCs have them."""

import base64
import hashlib

import pytest

from router.headers import (
    byte_range,
    entity_tags,
    idempotency_key,
    max_staleness,
    sha256_of_digest,
)
from services.blobs.reader import ByteRange
from services.errors import InvalidRequest, RangeNotSatisfiable

DIGEST = hashlib.sha256(b"abc").digest()
ENCODED = base64.b64encode(DIGEST).decode()


@pytest.mark.parametrize(
    ("value", "strongly", "weakly"),
    [
        ('"7"', True, True),
        ('W/"7"', False, True),
        ('"6", "7"', True, True),
        ('"6" ,, "7" ', True, True),
        ('"6"', False, False),
        ("*", True, True),
        ('W/"6", "7"', True, True),
    ],
)
def test_entity_tags(value: str, strongly: bool, weakly: bool) -> None:
    tags = entity_tags("If-Match", value)
    assert tags.match_strongly("7") is strongly
    assert tags.match_weakly("7") is weakly


@pytest.mark.parametrize("value", ["", "7", '"7', '"7" "8"', '"7",', "*,*", 'w/"7"', '"a"b"'])
def test_malformed_entity_tags(value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        entity_tags("If-Match", value)
    assert caught.value.errors[0].pointer == "#If-Match"


def test_idempotency_key() -> None:
    assert idempotency_key(None) is None
    assert idempotency_key("k" * 255) == "k" * 255
    for bad in ("", "k" * 256, "naïve", "a\tb"):
        with pytest.raises(InvalidRequest):
            idempotency_key(bad)


def test_digest() -> None:
    assert sha256_of_digest(None) is None
    assert sha256_of_digest(f"sha-256=:{ENCODED}:") == DIGEST
    assert sha256_of_digest(f"md5=:AAAA:, sha-256=:{ENCODED}:") == DIGEST
    assert sha256_of_digest("md5=:AAAA:") is None


@pytest.mark.parametrize(
    "value", ["", "sha-256", f"sha-256={ENCODED}", "sha-256=:AAAA:", "sha-256=:A:", "sha-256=:é:"]
)
def test_malformed_digest(value: str) -> None:
    with pytest.raises(InvalidRequest):
        sha256_of_digest(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("bytes=0-4", ByteRange(0, 4)),
        ("bytes=5-", ByteRange(5, 9)),
        ("bytes=5-100", ByteRange(5, 9)),
        ("bytes=-3", ByteRange(7, 9)),
        ("bytes=-100", ByteRange(0, 9)),
        ("bytes=0-1,4-5", None),
        ("bytes=4-2", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("nonsense", None),
    ],
)
def test_range_of_ten_bytes(value: str | None, expected: ByteRange | None) -> None:
    assert byte_range(value, 10) == expected


@pytest.mark.parametrize(("value", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_range_behind_the_end(value: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable):
        byte_range(value, size)


def test_staleness_is_whole_seconds_up_to_an_hour() -> None:
    assert max_staleness(None) is None
    assert [max_staleness(text) for text in ("0", "5", "3600")] == [0, 5, 3600]
    for text in ("", "-1", "1.5", "3601", "99999999999", "٣", "soon"):
        with pytest.raises(InvalidRequest):
            max_staleness(text)
