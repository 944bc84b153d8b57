"""Request headers, parsed: preconditions, digests, ranges. Pure."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from services.blobs.reader import ByteRange
from services.errors import InvalidRequest, RangeNotSatisfiable

_WORD: Final = r"[A-Za-z0-9!#$&^_.+-]{1,100}"
MEDIA_TYPE: Final = rf'^{_WORD}/{_WORD}( ?; ?{_WORD}=({_WORD}|"[ !#-\[\]-~]{{0,100}}"))*$'

_ENTITY_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")
_DIGEST_MEMBER: Final = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*")
_MEDIA_TYPE: Final = re.compile(MEDIA_TYPE)
_SECONDS: Final = re.compile(r"[0-9]{1,4}")
LONGEST_STALENESS: Final = 3600
_RANGE: Final = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The value of If-Match or If-None-Match: `*`, or tags told apart by strength."""

    any: bool
    strong: frozenset[str]
    weak: frozenset[str]

    def match_strongly(self, tag: str) -> bool:
        """Compare as If-Match does (RFC 9110, 8.8.3.2): a weak tag never matches."""
        return self.any or tag in self.strong

    def match_weakly(self, tag: str) -> bool:
        """Compare as If-None-Match does: strength is ignored."""
        return self.any or tag in self.strong or tag in self.weak


def entity_tags(name: str, value: str) -> EntityTags:
    """Parse a list of entity tags (RFC 9110, 13.1).

    Raises:
        InvalidRequest: it is neither `*` nor a list of quoted tags.
    """
    text = value.strip()
    if text == "*":
        return EntityTags(any=True, strong=frozenset(), weak=frozenset())
    strong: set[str] = set()
    weak: set[str] = set()
    at = 0
    while found := _ENTITY_TAG.match(text, at):
        (weak if found[1] else strong).add(found[2])
        at = found.end()
        if at == len(text):
            return EntityTags(any=False, strong=frozenset(strong), weak=frozenset(weak))
        separator = re.compile(r"\s*,[\s,]*").match(text, at)
        if not separator:
            break
        at = separator.end()
    raise InvalidRequest.at(f"#{name}", 'Must be * or a list of quoted entity tags, like "7".')


def idempotency_key(value: str | None) -> str | None:
    """Check an Idempotency-Key: 1 to 255 printable ASCII characters."""
    if value is None or _IDEMPOTENCY_KEY.fullmatch(value):
        return value
    raise InvalidRequest.at("#Idempotency-Key", "Must be 1 to 255 printable ASCII characters.")


def max_staleness(value: str | None) -> int | None:
    """Seconds that an answer may be old; None when nothing was asked.

    Raises:
        InvalidRequest: it is not a number of seconds up to an hour.
    """
    if value is None:
        return None
    if not _SECONDS.fullmatch(value) or int(value) > LONGEST_STALENESS:
        raise InvalidRequest.at("#Max-Staleness", "Must be whole seconds from 0 to 3600.")
    return int(value)


def sha256_of_digest(value: str | None) -> bytes | None:
    """Give the SHA-256 that Repr-Digest or Content-Digest announces (RFC 9530), or None.

    Algorithms that we do not compute are ignored, as the RFC says.

    Raises:
        InvalidRequest: it is not a dictionary of byte sequences, or its SHA-256 has not 32 bytes.
    """
    if value is None:
        return None
    digests = {}
    for member in value.split(","):
        found = _DIGEST_MEMBER.fullmatch(member)
        if not found:
            raise _bad_digest()
        digests[found[1]] = found[2]
    text = digests.get("sha-256")
    return None if text is None else _decoded(text)


def _decoded(text: str) -> bytes:
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _bad_digest() from None
    if len(digest) != 32:
        raise _bad_digest()
    return digest


def _bad_digest() -> InvalidRequest:
    return InvalidRequest.at("#Repr-Digest", "Must look like sha-256=:BASE64 OF 32 BYTES:.")


def byte_range(value: str | None, size: int) -> ByteRange | None:
    """Give the one range that is asked for, cut to `size`, or None for the whole.

    Several ranges, other units and malformed values are ignored, as RFC 9110 (14.2) allows.

    Raises:
        RangeNotSatisfiable: it begins behind the last byte.
    """
    found = _RANGE.fullmatch(value) if value else None
    if not found or not (found[1] or found[2]):
        return None
    if found[1]:
        first, last = int(found[1]), int(found[2] or size - 1)
        if found[2] and last < first:
            return None
    else:
        first, last = max(size - int(found[2]), 0), size - 1
    if first >= size:
        raise RangeNotSatisfiable(size)
    return ByteRange(first, min(last, size - 1))


def media_type(value: str | None) -> str | None:
    """Check a Content-Type; None when there was none.

    Raises:
        InvalidRequest: it is not type/subtype with parameters.
    """
    if value is None or (len(value) <= 255 and _MEDIA_TYPE.fullmatch(value)):
        return value
    raise InvalidRequest.at("#Content-Type", "Must be a media type such as text/plain.")
