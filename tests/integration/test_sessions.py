"""Sessions: refresh tokens follow each other, old ones betray a theft, ends are seen everywhere."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.postgres import Database
from tests.integration.service import Service, User, serving, settings_for
from tests.integration.waiting import until

NEW = "staple of eleven horses"


async def refresh(service: Service, token: str) -> tuple[int, dict[str, Any]]:
    answer = await service.post("/v1/auth/refresh", {"refresh_token": token})
    return answer.status_code, answer.json()


async def age(service: Service, seconds: int) -> None:
    """Let this time pass for every token that was replaced."""
    await service.sql(
        "UPDATE docshard.sessions SET replaced_at = replaced_at - make_interval(secs => %s)",
        seconds,
    )


async def test_tokens_follow_each_other(service: Service, user: User) -> None:
    first = await service.log_in(user)
    status, second = await refresh(service, first["refresh_token"])
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    status, third = await refresh(service, second["refresh_token"])
    assert status == 200
    for tokens in (first, second, third):
        assert await service.status(tokens["access_token"]) == 200
    rows = await service.sql("SELECT * FROM docshard.sessions ORDER BY id")
    assert len({row["family_id"] for row in rows}) == 1
    assert len({row["expires_at"] for row in rows}) == 1, (
        "refreshing does not make a session longer"
    )
    kept = str(rows)
    assert not any(tokens["refresh_token"] in kept for tokens in (first, second, third))


async def test_a_lost_answer_is_given_again(service: Service, user: User) -> None:
    first = await service.log_in(user)
    _, lost = await refresh(service, first["refresh_token"])
    status, again = await refresh(service, first["refresh_token"])
    assert status == 200
    assert again["refresh_token"] == lost["refresh_token"]
    assert (await refresh(service, again["refresh_token"]))[0] == 200


async def test_many_at_once_get_the_same_successor(service: Service, user: User) -> None:
    first = await service.log_in(user)
    answers = await asyncio.gather(*(refresh(service, first["refresh_token"]) for _ in range(8)))
    assert {status for status, _ in answers} == {200}
    assert len({body["refresh_token"] for _, body in answers}) == 1


async def test_an_old_token_ends_the_session(service: Service, user: User) -> None:
    first, elsewhere = await service.log_in(user), await service.log_in(user)
    _, second = await refresh(service, first["refresh_token"])
    await age(service, 11)
    status, problem = await refresh(service, first["refresh_token"])
    assert (status, problem["code"]) == (401, "unauthenticated")
    assert (await refresh(service, second["refresh_token"]))[0] == 401
    assert await service.status(second["access_token"]) == 401
    assert await service.status(elsewhere["access_token"]) == 200
    (row,) = await service.audit("auth.refresh_reuse")
    assert row["changes"]["after"] == {"user_id": str(user.id)}
    # The theft is told once; afterwards the session has just ended.
    await refresh(service, first["refresh_token"])
    assert len(await service.audit("auth.refresh_reuse")) == 1


async def test_the_grace_ends_when_the_successor_is_used(service: Service, user: User) -> None:
    first = await service.log_in(user)
    _, second = await refresh(service, first["refresh_token"])
    _, third = await refresh(service, second["refresh_token"])
    assert (await refresh(service, first["refresh_token"]))[0] == 401
    assert (await refresh(service, third["refresh_token"]))[0] == 401


async def test_sessions_end_by_time(service: Service, user: User) -> None:
    tokens = await service.log_in(user)
    await service.sql("UPDATE docshard.sessions SET expires_at = now()")
    assert (await refresh(service, tokens["refresh_token"]))[0] == 401
    assert await service.status(tokens["access_token"]) == 401


@pytest.mark.parametrize("token", ["", "dsr_", "dsr_" + "A" * 43, "dsk_" + "A" * 49, "é" * 47])
async def test_strange_tokens_are_refused(service: Service, token: str) -> None:
    status, _ = await refresh(service, token)
    assert status == (422 if token == "" else 401)


async def test_logging_out_ends_one_session_everywhere(global_db: Database, key_file: Path) -> None:
    settings = settings_for(global_db, key_file)
    lease = settings.timing.model_copy(update={"principal_lease_seconds": 4.0})
    leased = settings.model_copy(update={"timing": lease})
    async with serving(global_db, leased) as service, serving(global_db, leased) as other:
        user = await service.add_user("ada.lovelace@example.org")
        ended, kept = await service.log_in(user), await service.log_in(user)
        assert await other.status(ended["access_token"]) == 200
        answer = await service.post("/v1/auth/logout", bearer=ended["access_token"])
        assert answer.status_code == 204
        assert await service.status(ended["access_token"]) == 401

        async def is_out() -> bool:
            return await other.status(ended["access_token"]) == 401

        await until(is_out, seconds=5)
        assert (await refresh(other, ended["refresh_token"]))[0] == 401
        assert await other.status(kept["access_token"]) == 200
        assert len(await service.audit("auth.logout")) == 1


@pytest.mark.parametrize("change", ["is_active = false", "deleted_at = now()"])
async def test_who_is_disabled_is_out(service: Service, user: User, change: str) -> None:
    tokens = await service.log_in(user)
    await service.sql(f"UPDATE docshard.users SET {change}")  # noqa: S608 - a constant above
    assert await service.status(tokens["access_token"]) == 401
    assert (await refresh(service, tokens["refresh_token"]))[0] == 401


async def test_sessions_stay_ended_when_a_user_comes_back(service: Service, user: User) -> None:
    admin = await service.add_user("root@example.org", "admin")
    tokens = await service.log_in(user)
    async with service.caller((await service.log_in(admin))["access_token"]) as http:
        for active in (False, True):
            body = {"is_active": active}
            assert (await http.patch(f"/v1/users/{user.id}", json=body)).status_code == 200
        assert await service.status(tokens["access_token"]) == 401
        tokens = await service.log_in(user)
        assert (await http.delete(f"/v1/users/{user.id}")).status_code == 204
        assert (await http.post(f"/v1/users/{user.id}/restore")).status_code == 200
    assert await service.status(tokens["access_token"]) == 401
    assert (await refresh(service, tokens["refresh_token"]))[0] == 401


async def test_a_changed_password_ends_other_sessions(service: Service, user: User) -> None:
    here, there = await service.log_in(user), await service.log_in(user)
    body = {"current_password": user.password, "new_password": NEW}
    answer = await service.post("/v1/auth/password", body, here["access_token"])
    assert answer.status_code == 204
    assert await service.status(here["access_token"]) == 200
    assert await service.status(there["access_token"]) == 401
    assert (await refresh(service, there["refresh_token"]))[0] == 401
    assert (await service.post("/v1/auth/login", user.credentials)).status_code == 401
    await service.log_in(User(user.id, user.email, NEW))
    (row,) = await service.audit("auth.password_change")
    assert row["changes"]["after"] == {"sessions_ended": 1}


async def test_a_password_is_changed_by_who_knows_it_only(service: Service, user: User) -> None:
    token = (await service.log_in(user))["access_token"]
    for current, new, status in (
        ("wrong horse battery", NEW, 401),
        (user.password, "ada.lovelace rules", 422),
        (user.password, "password1234", 422),
    ):
        body = {"current_password": current, "new_password": new}
        answer = await service.post("/v1/auth/password", body, token)
        assert answer.status_code == status
    assert answer.json()["errors"][0]["pointer"] == "/new_password"
    await service.log_in(user)


async def test_a_login_beside_a_changed_password_leaves_no_old_session(
    service: Service, user: User
) -> None:
    token = (await service.log_in(user))["access_token"]
    body = {"current_password": user.password, "new_password": NEW}
    answers = await asyncio.gather(
        service.post("/v1/auth/password", body, token),
        *(service.post("/v1/auth/login", user.credentials) for _ in range(6)),
    )
    assert answers[0].status_code == 204
    for answer in answers[1:]:
        if answer.status_code == 200:
            assert await service.status(answer.json()["access_token"]) == 401


async def test_an_api_key_is_no_person(service: Service, user: User) -> None:
    key = await service.api_key(user)
    for path, body in (
        ("logout", None),
        ("mfa", None),
        ("mfa/confirm", {"totp": "123456"}),
        ("password", {"current_password": user.password, "new_password": NEW}),
    ):
        answer = await service.post(f"/v1/auth/{path}", body, key)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_an_access_token_without_session_is_refused(service: Service, user: User) -> None:
    token = service.resources.secrets.access_tokens.issue(user.id)
    assert await service.status(token) == 401
