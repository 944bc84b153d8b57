"""Passwords: argon2id with the parameters we chose, policy, and equal work for everybody."""

import time
import unicodedata
from collections.abc import Iterator
from statistics import median

import argon2
import pytest

from services.errors import InvalidRequest
from services.identity.passwords import Passwords, check_policy

GOOD = "correct horse battery staple"


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    made = Passwords(threads=2, max_waiting=8)
    yield made
    made.close()


async def test_the_right_password_fits_and_no_other(passwords: Passwords) -> None:
    stored = await passwords.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert await passwords.verify(stored, GOOD)
    assert not await passwords.verify(stored, GOOD + " ")
    assert not await passwords.verify(None, GOOD)
    assert not await passwords.verify("not a hash", GOOD)
    assert not passwords.needs_rehash(stored)


async def test_the_forms_of_one_text_are_one_password(passwords: Passwords) -> None:
    text = "Zoë's naïve café"
    stored = await passwords.hash(unicodedata.normalize("NFD", text))
    assert await passwords.verify(stored, unicodedata.normalize("NFC", text))


async def test_an_unknown_account_costs_the_same(passwords: Passwords) -> None:
    stored = await passwords.hash(GOOD)
    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(5):
        for known in (True, False):
            before = time.perf_counter()
            await passwords.verify(stored if known else None, "wrong wrong wrong")
            spent[known].append(time.perf_counter() - before)
    assert 0.5 < median(spent[True]) / median(spent[False]) < 2


async def test_weaker_hashes_are_renewed(passwords: Passwords) -> None:
    weak = argon2.PasswordHasher(memory_cost=8192, time_cost=1, parallelism=1).hash(GOOD)
    assert await passwords.verify(weak, GOOD)
    assert passwords.needs_rehash(weak)


async def test_huge_passwords_cost_nothing(passwords: Passwords) -> None:
    huge = "a" * 10_000_000
    stored = await passwords.hash(GOOD)
    before = time.perf_counter()
    assert not await passwords.verify(stored, huge)
    assert not await passwords.verify(stored, "€" * 1024)
    assert not await passwords.verify(stored, "\ud800" * 12)
    assert time.perf_counter() - before < 0.05
    with pytest.raises(InvalidRequest):
        await passwords.hash(huge)


@pytest.mark.parametrize("password", ["", "elevenchars", "a" * 1025, "é" * 600, "\ud800" * 12])
def test_the_policy_refuses(password: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_policy(password, "/new_password")
    assert refusal.value.errors[0].pointer == "/new_password"


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Letmeinletmein",
        "123456789012",
        "é" * 12,
        "xyxyxyxyxyxyxy",
        "qwertyuiopas",
        "zyxwvutsrqponm",
        "  !iloveyou!  2024",
        "ada.lovelace rules",
        "rules, ADA.LOVELACE",
    ],
)
def test_the_policy_refuses_what_guessers_try(password: str) -> None:
    with pytest.raises(InvalidRequest):
        check_policy(password, email="Ada.Lovelace@example.org")


@pytest.mark.parametrize(
    "password",
    [
        "twelve chars",
        GOOD,
        "".join(chr(0xE0 + at) for at in range(12)),
        "mixed 字 and 😀 signs",
        "password is a word in here",
        "bo is short, and inside",
        "-".join(map(str, range(265)))[:1024],
    ],
)
def test_the_policy_admits(password: str) -> None:
    check_policy(password, email="bo@example.org")
