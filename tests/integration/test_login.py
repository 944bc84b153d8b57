"""Logging in: one answer for every wrong mix, delays for guessers, and what the audit log keeps."""

import asyncio
import json
import time
import unicodedata
from pathlib import Path
from statistics import median

import argon2
import pytest

from tests.integration.postgres import Database
from tests.integration.service import Service, User, serving, settings_for

WRONG = "wrong horse battery staple"


async def test_a_login_opens_a_session(service: Service, user: User) -> None:
    tokens = await service.log_in(user)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    assert tokens["refresh_token"].startswith("dsr_")
    async with service.caller(tokens["access_token"]) as http:
        me = (await http.get("/v1/me")).json()
    assert me["principal"] == {"kind": "user", "id": str(user.id)}
    assert me["session"]["must_enrol_mfa"] is False
    (row,) = await service.audit("auth.login")
    assert row["user_id"] == user.id
    assert row["changes"]["after"]["session_id"] == me["session"]["id"]
    assert str(row["ip_address"]) == "192.0.2.7"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_an_address_is_the_same_in_every_form(service: Service, form: str) -> None:
    await service.add_user(unicodedata.normalize("NFC", "Zoë@Exämple.org"))
    spelt = unicodedata.normalize(form, "ZOË@EXÄMPLE.ORG")  # type: ignore[arg-type]  # a parameter
    body = {"email": spelt, "password": User.password}
    assert (await service.post("/v1/auth/login", body)).status_code == 200


async def test_every_wrong_mix_answers_the_same(service: Service, user: User) -> None:
    await service.add_user("disabled@example.org")
    await service.add_user("nopassword@example.org", password=None)
    await service.sql("UPDATE docshard.users SET is_active = false WHERE id <> %s", user.id)
    answers = [
        await service.post("/v1/auth/login", {"email": email, "password": password} | more)
        for email, password, more in (
            (user.email, WRONG, {}),
            ("nobody@example.org", user.password, {}),
            ("disabled@example.org", user.password, {}),
            ("nopassword@example.org", WRONG, {}),
            ("no address", user.password, {}),
            (user.email, WRONG, {"totp": "123456"}),
            (user.email, WRONG, {"recovery_code": "MFRG-GZDF-MZTW-Q2LK"}),
        )
    ]
    seen = {(one.status_code, one.json()["code"], one.json()["detail"]) for one in answers}
    assert seen == {(401, "invalid_credentials", "E-mail address, password or code is wrong.")}


async def test_unknown_and_known_take_the_same_time(service: Service, user: User) -> None:
    spent: dict[str, list[float]] = {user.email: [], "nobody@example.org": []}
    for _ in range(5):
        for email, times in spent.items():
            before = time.perf_counter()
            await service.post("/v1/auth/login", {"email": email, "password": WRONG})
            times.append(time.perf_counter() - before)
    known, unknown = (median(times) for times in spent.values())
    assert 0.5 < known / unknown < 2


async def test_huge_passwords_are_refused_unread(service: Service, user: User) -> None:
    body = {"email": user.email, "password": "a" * 10_000_000}
    assert (await service.post("/v1/auth/login", body)).status_code == 413
    body["password"] = "a" * 100_000
    assert (await service.post("/v1/auth/login", body)).status_code == 422
    assert await service.audit("auth.login_failed") == []


async def test_weak_hashes_are_renewed_by_a_login(service: Service, user: User) -> None:
    weak = argon2.PasswordHasher(memory_cost=8192, time_cost=1, parallelism=1).hash(user.password)
    await service.sql("UPDATE docshard.users SET password_hash = %s", weak)
    await service.log_in(user)
    (row,) = await service.sql("SELECT password_hash FROM docshard.users")
    assert row["password_hash"].startswith("$argon2id$v=19$m=47104,")
    await service.log_in(user)


async def test_failures_are_written_down_without_secrets(service: Service, user: User) -> None:
    await service.post("/v1/auth/login", user.credentials | {"password": WRONG})
    await service.post("/v1/auth/login", {"email": "nobody@example.org", "password": WRONG})
    known, unknown = await service.audit("auth.login_failed")
    assert known["entity_id"] == user.id
    assert known["user_id"] is None
    assert unknown["entity_id"].int == 0
    assert set(unknown["changes"]["after"]) == {"email_index", "factor"}
    assert len(unknown["changes"]["after"]["email_index"]) == 8
    written = json.dumps([known["changes"], unknown["changes"]])
    assert not any(secret in written for secret in (WRONG, "nobody", "lovelace"))


@pytest.mark.parametrize("email", ["ada.lovelace@example.org", "nobody@example.org"])
async def test_guessers_wait_longer_and_longer(
    global_db: Database, key_file: Path, email: str
) -> None:
    patient = settings_for(global_db, key_file, free_login_failures_per_account=3)
    async with serving(global_db, patient) as service:
        user = await service.add_user("ada.lovelace@example.org")
        guess = {"email": email, "password": WRONG}
        statuses = [(await service.post("/v1/auth/login", guess)).status_code for _ in range(5)]
        # The fourth failure is beyond the free ones: the fifth attempt comes too soon.
        assert statuses == [401, 401, 401, 401, 429]
        right = await service.post("/v1/auth/login", {"email": email, "password": user.password})
        assert (right.status_code, right.json()["code"]) == (429, "too_many_requests")
        assert right.headers["Retry-After"] == "1"
        await service.sql(
            "UPDATE docshard.login_failures SET failures = 9, failed_at = clock_timestamp()"
            " WHERE kind = 'account'"
        )
        waiting = await service.post("/v1/auth/login", guess)
        assert 30 <= int(waiting.headers["Retry-After"]) <= 32
        # Others are not concerned, and another worker agrees.
        await service.log_in(await service.add_user("grace@example.org"))
        async with serving(global_db, patient) as other:
            assert (await other.post("/v1/auth/login", guess)).status_code == 429


async def test_success_forgets_the_failures_of_the_account(service: Service, user: User) -> None:
    for _ in range(3):
        await service.post("/v1/auth/login", user.credentials | {"password": WRONG})
    await service.log_in(user)
    rows = await service.sql("SELECT kind, failures FROM docshard.login_failures")
    assert rows == [{"kind": "address", "failures": 3}]


async def test_an_address_waits_whatever_account_it_guesses_at(
    global_db: Database, key_file: Path
) -> None:
    patient = settings_for(global_db, key_file, free_login_failures_per_address=2)
    async with serving(global_db, patient) as service:
        user = await service.add_user("ada.lovelace@example.org")
        for number in range(3):
            guess = {"email": f"user{number}@example.org", "password": WRONG}
            assert (await service.post("/v1/auth/login", guess)).status_code == 401
        here = await service.post("/v1/auth/login", user.credentials)
        assert here.status_code == 429
        there = await service.post("/v1/auth/login", user.credentials, address="192.0.2.8")
        assert there.status_code == 200


async def test_many_guesses_at_once_count_each(global_db: Database, key_file: Path) -> None:
    patient = settings_for(global_db, key_file, free_login_failures_per_account=3)
    async with serving(global_db, patient) as service:
        user = await service.add_user("ada.lovelace@example.org")
        guess = user.credentials | {"password": WRONG}
        answers = await asyncio.gather(*(service.post("/v1/auth/login", guess) for _ in range(20)))
        looked_at = sum(answer.status_code == 401 for answer in answers)
        assert 3 <= looked_at <= 5
        assert {answer.status_code for answer in answers} == {401, 429}


async def test_what_was_not_looked_at_is_not_counted(service: Service, user: User) -> None:
    service.resources.secrets.passwords._threads._bound = 0
    answer = await service.post("/v1/auth/login", user.credentials)
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    rows = await service.sql("SELECT sum(failures) AS all FROM docshard.login_failures")
    assert rows == [{"all": 0}]
