"""One-time links for first and forgotten passwords."""

import asyncio
from uuid import uuid4

import httpx

from tests.integration.service import Service, User

NEW = "staple of eleven horses"


async def make(
    service: Service, maker: User, user: User, headers: dict[str, str] | None = None
) -> httpx.Response:
    async with service.caller((await service.log_in(maker))["access_token"]) as http:
        return await http.post(f"/v1/users/{user.id}/password-link", headers=headers)


async def redeem(service: Service, token: str, password: str = NEW) -> int:
    body = {"token": token, "password": password}
    return (await service.post("/v1/auth/password-link", body)).status_code


async def test_a_link_sets_a_first_password_once(service: Service) -> None:
    admin = await service.add_user("root@example.org", "admin")
    user = await service.add_user("new@example.org", "viewer", password=None)
    made = await make(service, admin, user)
    assert made.status_code == 201
    token = made.json()["token"]
    assert token.startswith("dsl_")
    assert await redeem(service, token, "password1234") == 422  # and the link stays good
    outcomes = await asyncio.gather(*(redeem(service, token) for _ in range(4)))
    assert sorted(outcomes) == [204, 401, 401, 401]
    await service.log_in(User(user.id, user.email, NEW))
    assert token not in str(await service.sql("SELECT * FROM docshard.password_links"))
    (made_row,) = await service.audit("auth.password_link")
    assert (made_row["user_id"], made_row["entity_id"]) == (admin.id, user.id)
    (set_row,) = await service.audit("auth.password_change")
    assert set_row["changes"]["after"] == {"by": "password_link", "sessions_ended": 0}


async def test_a_forgotten_password_ends_sessions_and_keeps_the_second_factor(
    service: Service, user: User
) -> None:
    admin = await service.add_user("root@example.org", "admin")
    tokens = await service.log_in(user)
    _, codes = await service.enrol(tokens["access_token"])
    token = (await make(service, admin, user)).json()["token"]
    assert await redeem(service, token) == 204
    assert await service.status(tokens["access_token"]) == 401
    credentials = {"email": user.email, "password": NEW}
    answer = await service.post("/v1/auth/login", credentials)
    assert answer.json()["code"] == "mfa_required"
    answer = await service.post("/v1/auth/login", credentials | {"recovery_code": codes[0]})
    assert answer.status_code == 200


async def test_links_that_are_old_replaced_or_foreign_are_refused(
    service: Service, user: User
) -> None:
    admin = await service.add_user("root@example.org", "admin")
    first = (await make(service, admin, user)).json()["token"]
    second = (await make(service, admin, user)).json()["token"]
    assert await redeem(service, first) == 401
    await service.sql("UPDATE docshard.password_links SET expires_at = now()")
    assert await redeem(service, second) == 401
    for token in ("x", "dsl_" + "A" * 43, "dsr_" + "A" * 43):
        assert await redeem(service, token) == 401
    third = (await make(service, admin, user)).json()["token"]
    await service.sql("UPDATE docshard.users SET deleted_at = now() WHERE id = %s", user.id)
    assert await redeem(service, third) == 401


async def test_links_are_made_by_who_may(service: Service, user: User) -> None:
    await service.sql(
        "WITH made AS (INSERT INTO docshard.roles (id, name) VALUES (%s, 'desk') RETURNING id)"
        " INSERT INTO docshard.role_permissions SELECT id, 'user:edit' FROM made",
        uuid4(),
    )
    desk = await service.add_user("desk@example.org", "desk")
    admin = await service.add_user("root@example.org", "admin")
    assert (await make(service, desk, user)).status_code == 201
    # A link would make its maker the administrator.
    assert (await make(service, desk, admin)).json()["code"] == "forbidden"
    assert (await make(service, user, desk)).json()["code"] == "forbidden"
    assert (await make(service, admin, User(uuid4(), ""))).json()["code"] == "not_found"


async def test_a_repeated_request_makes_one_link(service: Service, user: User) -> None:
    admin = await service.add_user("root@example.org", "admin")
    headers = {"Idempotency-Key": "once"}
    made = await make(service, admin, user, headers)
    again = await make(service, admin, user, headers)
    assert (again.status_code, again.json()["code"]) == (409, "secret_already_shown")
    assert await redeem(service, made.json()["token"]) == 204


async def test_a_link_ends_the_lockout_of_its_account(service: Service, user: User) -> None:
    admin = await service.add_user("root@example.org", "admin")
    token = (await make(service, admin, user)).json()["token"]
    wrong = user.credentials | {"password": "wrong horse battery"}
    for _ in range(12):
        locked = await service.post("/v1/auth/login", wrong)
    assert locked.status_code == 429
    assert await redeem(service, token) == 204
    await service.log_in(User(user.id, user.email, NEW))
