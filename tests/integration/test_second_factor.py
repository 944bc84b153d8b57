"""The second factor: set up, demanded, used once each time, lost and removed."""

import time

import pyotp
import pytest

from tests.integration.service import Service, User


async def login(service: Service, user: User, **more: str) -> tuple[int, str | None]:
    answer = await service.post("/v1/auth/login", user.credentials | more)
    return answer.status_code, answer.json().get("code")


async def let_codes_be_new(service: Service) -> None:
    """As if the last code had been used long ago."""
    await service.sql("UPDATE docshard.users SET mfa_last_step = mfa_last_step - 100")


async def test_a_second_factor_is_demanded_once_it_is_confirmed(
    service: Service, user: User
) -> None:
    tokens, elsewhere = await service.log_in(user), await service.log_in(user)
    begun = await service.post("/v1/auth/mfa", bearer=tokens["access_token"])
    uri = pyotp.parse_uri(begun.json()["otpauth_uri"])
    assert (uri.name, uri.issuer, uri.secret) == (user.email, "docshard", begun.json()["secret"])
    await service.log_in(user)  # an abandoned enrolment locks nobody out
    authenticator, codes = await service.enrol(tokens["access_token"])
    assert len(set(codes)) == 10
    assert await login(service, user) == (401, "mfa_required")
    assert await login(service, user, totp="000000") == (401, "invalid_credentials")
    wrong = {"password": "wrong horse battery", "totp": authenticator.now()}
    assert await login(service, user, **wrong) == (401, "invalid_credentials")
    await let_codes_be_new(service)
    assert (await login(service, user, totp=authenticator.now()))[0] == 200
    # Sessions from before had no second factor; the one that set it up goes on.
    assert await service.status(elsewhere["access_token"]) == 401
    assert await service.status(tokens["access_token"]) == 200
    stored = await service.sql("SELECT mfa_secret, mfa_pending FROM docshard.users")
    assert begun.json()["secret"].encode() not in bytes(stored[0]["mfa_secret"])
    assert stored[0]["mfa_pending"] is None
    assert len(await service.audit("auth.mfa_enrol")) == 2
    assert len(await service.audit("auth.mfa_enable")) == 1


async def test_a_code_works_once(service: Service, user: User) -> None:
    authenticator, _ = await service.enrol((await service.log_in(user))["access_token"])
    code = authenticator.now()
    # The code that confirmed it is used up as well.
    assert await login(service, user, totp=code) == (401, "invalid_credentials")
    following = authenticator.at(int(time.time()) + 30)
    assert (await login(service, user, totp=following))[0] == 200
    assert await login(service, user, totp=following) == (401, "invalid_credentials")
    # Nor does an older one that is still near enough.
    assert await login(service, user, totp=code) == (401, "invalid_credentials")


async def test_recovery_codes_work_once_each(service: Service, user: User) -> None:
    _, codes = await service.enrol((await service.log_in(user))["access_token"])
    spelt = codes[0].replace("-", " ").lower()
    assert (await login(service, user, recovery_code=spelt))[0] == 200
    assert await login(service, user, recovery_code=codes[0]) == (401, "invalid_credentials")
    assert (await login(service, user, recovery_code=codes[1]))[0] == 200
    another = await service.add_user("grace@example.org")
    await service.enrol((await service.log_in(another))["access_token"])
    assert await login(service, another, recovery_code=codes[2]) == (401, "invalid_credentials")
    kept = str(await service.sql("SELECT code_hash FROM docshard.recovery_codes"))
    assert not any(code in kept for code in codes)


async def test_wrong_codes_count_as_failed_logins(service: Service, user: User) -> None:
    await service.enrol((await service.log_in(user))["access_token"])
    for _ in range(3):
        await login(service, user, totp="000000")
        await login(service, user)  # a right password alone does not reset anything
    rows = await service.sql("SELECT failures FROM docshard.login_failures WHERE kind = 'account'")
    assert rows == [{"failures": 6}]
    rows = await service.sql("SELECT failures FROM docshard.login_failures WHERE kind = 'address'")
    assert rows == [{"failures": 3}]
    assert [
        row["changes"]["after"]["factor"] for row in await service.audit("auth.login_failed")
    ] == ["second factor"] * 3


async def test_an_enrolment_is_confirmed_by_its_own_code(service: Service, user: User) -> None:
    token = (await service.log_in(user))["access_token"]
    body = {"totp": "123456"}
    nothing = await service.post("/v1/auth/mfa/confirm", body, token)
    assert (nothing.status_code, nothing.json()["code"]) == (409, "conflict")
    await service.post("/v1/auth/mfa", bearer=token)
    wrong = await service.post("/v1/auth/mfa/confirm", body, token)
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/totp")
    await service.enrol(token)
    again = await service.post("/v1/auth/mfa", bearer=token)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_removing_needs_a_recent_login(service: Service, user: User) -> None:
    tokens = await service.log_in(user)
    await service.enrol(tokens["access_token"])
    await service.sql("UPDATE docshard.sessions SET logged_in_at = now() - interval '11 minutes'")
    refreshed = await service.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    async with service.caller(refreshed.json()["access_token"]) as http:
        answer = await http.delete("/v1/auth/mfa")
        assert (answer.status_code, answer.json()["code"]) == (403, "login_too_old")
        await service.sql("UPDATE docshard.sessions SET logged_in_at = now()")
        assert (await http.delete("/v1/auth/mfa")).status_code == 204
        assert (await http.delete("/v1/auth/mfa")).status_code == 404
    await service.log_in(user)
    assert await service.sql("SELECT * FROM docshard.recovery_codes") == []
    assert len(await service.audit("auth.mfa_disable")) == 1


@pytest.fixture
async def auditor(service: Service) -> User:
    """Somebody with a role that demands a second factor."""
    admin = await service.add_user("root@example.org", "admin")
    async with service.caller((await service.log_in(admin))["access_token"]) as http:
        roles = (await http.get("/v1/roles")).json()["items"]
        (role,) = (role for role in roles if role["name"] == "auditor")
        changed = await http.patch(f"/v1/roles/{role['id']}", json={"mfa_required": True})
        assert changed.json()["mfa_required"] is True
        body = {"mfa_required": True, "description": "another one"}
        assert (await http.patch(f"/v1/roles/{role['id']}", json=body)).status_code == 409
    return await service.add_user("grace@example.org", "auditor", "viewer")


async def test_a_role_can_demand_it(service: Service, auditor: User) -> None:
    tokens = await service.log_in(auditor)
    async with service.caller(tokens["access_token"]) as http:
        me = (await http.get("/v1/me")).json()
        assert me["session"]["must_enrol_mfa"] is True
        assert me["grants"] == []
        assert (await http.get("/v1/clients")).status_code == 403
        await service.enrol(tokens["access_token"])
        me = (await http.get("/v1/me")).json()
        assert me["session"]["must_enrol_mfa"] is False
        assert {grant["role"] for grant in me["grants"]} == {"auditor", "viewer"}
        assert (await http.get("/v1/clients")).status_code == 200
