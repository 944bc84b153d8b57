"""Exact look-up and uniqueness of encrypted fields: a keyed digest of their canonical form.

HMAC-SHA-256 in full length, with a key of its own for each field. Two spellings of one address
must give one digest, so what "the same" means is decided here, in `canonical_email` and
`canonical_mobile`. The field itself keeps the spelling that its owner gave.
"""

import hmac
import re
import unicodedata

from services.keys.material import KeyMaterial

_MAX_EMAIL_BYTES = 254  # RFC 5321, 4.5.3.1.3: a path of 256 octets with its angle brackets
_EMAIL = re.compile(r"[^\s@\x00-\x20\x7f]+@[^\s@\x00-\x20\x7f]+")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_GROUPING = re.compile(r"[\s().\-/]")


def blind_index(key: KeyMaterial, canonical: str) -> bytes:
    """Digest a canonical value: 32 bytes, the same for the same value under the same key."""
    return hmac.digest(key.secret, canonical.encode(), "sha256")


def canonical_email(text: str) -> str:
    """Give the form in which two e-mail addresses are compared.

    Letter case is folded in both parts: RFC 5321 lets a server tell `Ann@` from `ann@`, none that
    people use does, and two accounts that differ in it alone are a trap. Unicode is folded by
    NFKC (and not only NFC), so that full-width or ligature spellings of one address are not two
    people. Dots and `+tags` stay: whether they matter is the mail server's own rule. An
    internationalised domain and its `xn--` form count as two addresses.

    Raises:
        ValueError: not an e-mail address; the message is for a person.
    """
    folded = _nfkc_casefold(text.strip())
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in folded):
        raise ValueError("an e-mail address has no control or invisible characters")
    if not _EMAIL.fullmatch(folded):
        raise ValueError("an e-mail address is written name@domain")
    if len(folded.encode()) > _MAX_EMAIL_BYTES:
        raise ValueError(f"an e-mail address has at most {_MAX_EMAIL_BYTES} bytes")
    return folded


def canonical_mobile(text: str) -> str:
    """Give a telephone number in E.164: `+`, country code, number, 7 to 15 digits.

    Spaces, brackets, dots, hyphens and slashes between digits are dropped. A number without `+`
    is refused, for its country would be a guess; so is `(0)`, which is not dialled after a
    country code and would make another number.

    Raises:
        ValueError: not such a number; the message is for a person.
    """
    folded = unicodedata.normalize("NFKC", text)
    if re.search(r"\(\s*0\s*\)", folded):
        raise ValueError("leave out the (0) of a telephone number with a country code")
    number = _GROUPING.sub("", folded)
    if not _E164.fullmatch(number):
        raise ValueError("a telephone number is written +COUNTRYCODE NUMBER, as in +49 30 123456")
    return number


def _nfkc_casefold(text: str) -> str:
    """Fold by the Unicode Standard's toNFKC_Casefold: folding can undo normalisation and back."""
    once = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", once.casefold())
