"""One-time codes, recovery codes and opaque tokens: what fits, and what does not."""

import hashlib
from uuid import uuid4

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import opaque_tokens, recovery_codes, totp
from services.keys.material import Purpose
from tests.unit.keys import new_key

# RFC 6238, appendix B: the secret "12345678901234567890", SHA-1, the last six digits.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("now", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_standard(now: int, code: str) -> None:
    assert totp.matching_step(SECRET, code, now) == now // 30


@given(st.integers(min_value=60, max_value=2**33), st.integers(min_value=-3, max_value=3))
def test_one_step_of_drift_is_taken(now: int, drift: int) -> None:
    code = pyotp.HOTP(SECRET).at(now // 30 + drift) if now // 30 + drift >= 0 else "x"
    step = totp.matching_step(SECRET, code, now)
    if abs(drift) <= 1:
        assert step is not None
        assert pyotp.HOTP(SECRET).at(step) == code
    else:
        # Rarely two steps have the same code.
        assert step is None or pyotp.HOTP(SECRET).at(step) == code


@pytest.mark.parametrize("code", ["", "28708", "2870822", "28708x", "٢٨٧٠٨٢", "-", "287082\x00"])
def test_what_is_no_code_fits_nothing(code: str) -> None:
    assert totp.matching_step(SECRET, code, 59) is None


def test_codes_may_be_grouped() -> None:
    assert totp.matching_step(SECRET, " 287 082 ", 59) == 1


def test_secrets_have_160_bits_and_are_never_the_same() -> None:
    assert len({totp.new_secret() for _ in range(50)}) == 50
    assert len(pyotp.TOTP(totp.new_secret()).byte_secret()) == 20


def test_recovery_codes_are_ten_and_read_back_however_written() -> None:
    user, codes = uuid4(), recovery_codes.generate()
    assert len(set(codes)) == recovery_codes.NUMBER
    for code in codes:
        digest = recovery_codes.digest(user, code)
        assert digest is not None
        assert len(digest) == 32
        assert recovery_codes.digest(user, code.replace("-", "").lower()) == digest
        assert recovery_codes.digest(uuid4(), code) != digest


@pytest.mark.parametrize("code", ["", "AAAA", "AAAA-AAAA-AAAA-AAA1", "é" * 16, "A" * 17])
def test_what_is_no_recovery_code_has_no_digest(code: str) -> None:
    assert recovery_codes.digest(uuid4(), code) is None


def test_tokens_say_what_they_are_for() -> None:
    token = opaque_tokens.generate(opaque_tokens.REFRESH)
    assert opaque_tokens.parse(opaque_tokens.REFRESH, token.text) == token
    assert opaque_tokens.parse(opaque_tokens.LINK, token.text) is None
    assert token.digest == hashlib.sha256(token.text.encode()).digest()
    assert token.text not in repr(token)


@given(st.text(max_size=60))
def test_noise_is_no_token(text: str) -> None:
    assert opaque_tokens.parse(opaque_tokens.REFRESH, text) is None
    assert opaque_tokens.parse(opaque_tokens.REFRESH, "dsr_" + text + "=") is None


def test_a_successor_is_known_to_the_key_alone() -> None:
    token, key = opaque_tokens.generate(opaque_tokens.REFRESH), new_key(Purpose.REFRESH_TOKENS)
    successor = opaque_tokens.successor(key, token)
    assert successor == opaque_tokens.successor(key, token)
    assert opaque_tokens.parse(opaque_tokens.REFRESH, successor.text) == successor
    others = {
        opaque_tokens.successor(new_key(Purpose.REFRESH_TOKENS), token).text,
        opaque_tokens.successor(key, successor).text,
    }
    assert successor.text not in others
    assert len(others) == 2
