"""The console without a browser: who gets in, what a page carries, what a button needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
import pytest

from router.console.guard import LOGIN, ConsoleRoute
from router.console.pages.shell import AUDIT
from router.console.routes import ROUTES
from router.console.visit import OPERATE
from tests.acceptance.api import connect
from tests.acceptance.fleet import LocalFleet, until
from tests.acceptance.stage import PASSWORD, Stage, log_of

OWN = {"Sec-Fetch-Site": "same-origin"}
COOKIE = "docshard_console"


def addresses(method: str) -> list[str]:
    """Every address that needs a login, with ids that name nothing."""
    paths = [
        one.path
        for one in ROUTES
        if isinstance(one, ConsoleRoute) and one.permission and method in (one.methods or ())
    ]
    return [path.format_map({"move_id": UUID(int=1), "verb": "abort"}) for path in paths]


@pytest.fixture(scope="module")
def outside(fleet: LocalFleet) -> Iterator[httpx.Client]:
    with connect(fleet) as http:
        yield http


@contextmanager
def entered(fleet: LocalFleet, email: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """Somebody who has logged in by the form."""
    with connect(fleet) as http:
        http.post(LOGIN, data={"email": email, "password": password}, headers=OWN)
        yield http


@pytest.fixture(scope="module")
def inside(fleet: LocalFleet) -> Iterator[httpx.Client]:
    """The administrator."""
    email, password = (fleet.variables[f"DOCSHARD_ADMIN_{name}"] for name in ("EMAIL", "PASSWORD"))
    with entered(fleet, email, password) as http:
        yield http


def person(stage: Stage, *permissions: str, client: bool = False) -> str:
    """A new person's address; the permissions hold everywhere, or on a client of theirs."""
    user = stage.user()
    role = stage.role(*permissions)["name"]
    stage.grant(user["id"], role, stage.client() if client else None)
    return str(user["email"])


def test_without_a_login_every_address_leads_to_it(outside: httpx.Client) -> None:
    pages, buttons = addresses("GET"), addresses("POST")
    assert len(pages) >= 12
    for path in pages:
        answer = outside.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["Location"].startswith(f"{LOGIN}?next=%2Fconsole"), path
    for path in buttons:
        answer = outside.post(path, headers=OWN)
        assert (answer.status_code, answer.headers["Location"]) == (303, LOGIN), path


@pytest.mark.parametrize("cookie", ["", "x", ":", "a:b", f"{'x' * 5000}:y"])
def test_a_cookie_that_is_none_of_ours_opens_nothing(outside: httpx.Client, cookie: str) -> None:
    answer = outside.get("/console", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert answer.status_code == 303


def test_a_tenants_people_get_no_session(fleet: LocalFleet, stage: Stage) -> None:
    email = person(stage, "audit:read", "fleet:read", "fleet:operate", client=True)
    with connect(fleet) as http:
        answer = http.post(LOGIN, data={"email": email, "password": PASSWORD}, headers=OWN)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_a_tenants_tokens_open_nothing(outside: httpx.Client, stage: Stage) -> None:
    """I4: as if somebody had put what the API gave them into the cookie."""
    email = person(stage, "audit:read", "fleet:read", "fleet:operate", client=True)
    answer = outside.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()
    cookie = {"Cookie": f"{COOKIE}={answer['refresh_token']}:{answer['access_token']}"}
    for path in addresses("GET"):
        assert outside.get(path, headers=cookie).status_code == 403, path
    for path in addresses("POST"):
        assert outside.post(path, headers={**cookie, **OWN}).status_code == 403, path


def test_who_may_see_may_not_operate_nor_read_the_log(fleet: LocalFleet, stage: Stage) -> None:
    with entered(fleet, person(stage, "fleet:read")) as http:
        page = http.get("/console/rebalance")
        assert page.status_code == 200
        assert 'href="/console/audit"' not in page.text
        for path in ("/console/audit", "/console/audit/export", "/console/audit/verify?client=x"):
            assert http.get(path).status_code == 403, path
        assert http.post("/console/rebalance/stop", headers=OWN).status_code == 403
        user_id = stage.admin.get("/v1/users", params={"limit": 1}).json()["items"][0]["id"]

    def denied() -> bool:
        rows = log_of(stage.admin, action="auth.denied", user_id=user_id)
        return {row["changes"]["after"]["permission"] for row in rows} == {AUDIT, OPERATE}

    until(denied)


def test_rates_are_of_all_processes_of_the_router(inside: httpx.Client) -> None:
    told = "This router, with 2 processes"
    until(lambda: told in inside.get("/console").text, seconds=60, pause_seconds=1)
    page = inside.get("/console/replicas").text
    assert "pieces of work a second on the primary" in page


def test_a_wrong_password_is_told_and_nothing_else(outside: httpx.Client) -> None:
    form = {"email": "nobody@example.org", "password": "<script>"}
    answer = outside.post(LOGIN, data=form, headers=OWN)
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert "<script>" not in answer.text


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_pages(fleet: LocalFleet) -> None:
    email, password = (fleet.variables[f"DOCSHARD_ADMIN_{name}"] for name in ("EMAIL", "PASSWORD"))
    with connect(fleet) as http:
        form = {"email": email, "password": password, "next": "/console/ring"}
        answer = http.post(LOGIN, data=form, headers=OWN)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/console/ring")
        words = {word.strip().lower() for word in answer.headers["Set-Cookie"].split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/console"} <= words
        assert not any(word.startswith(("max-age", "expires")) for word in words)
        assert http.get("/console/ring").status_code == 200
        left = http.post("/console/logout", headers=OWN)
        assert (left.status_code, left.headers["Location"]) == (303, LOGIN)


def test_a_logout_ends_the_session_and_not_only_the_cookie(fleet: LocalFleet, stage: Stage) -> None:
    with entered(fleet, person(stage, "fleet:read")) as http:
        kept = {"Cookie": f"{COOKIE}={http.cookies[COOKIE]}"}
        assert http.get("/console").status_code == 200
        http.post("/console/logout", headers=OWN)
    with connect(fleet) as thief:
        # The other process of the router trusts who was verified for seconds.
        until(lambda: thief.get("/console", headers=kept).status_code == 303)
        refresh = kept["Cookie"].partition("=")[2].partition(":")[0]
        again = thief.post("/v1/auth/refresh", json={"refresh_token": refresh})
    assert again.status_code == 401


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}]
)
def test_what_a_foreign_page_sends_is_refused(
    inside: httpx.Client, outside: httpx.Client, headers: dict[str, str]
) -> None:
    for path in addresses("POST"):
        assert inside.post(path, headers=headers).status_code == 403, path
    form = {"email": "nobody@example.org", "password": "x"}
    assert outside.post(LOGIN, data=form, headers=headers).status_code == 403
    assert inside.get("/console").status_code == 200, "nobody was logged out"


def test_every_page_forbids_what_it_does_not_need(inside: httpx.Client) -> None:
    for path in ("/console", "/console/tenants", "/console/ring", "/console/audit", LOGIN):
        answer = inside.get(path)
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "style=" not in answer.text
        assert "<script>" not in answer.text
        assert "https://" not in answer.text
    static = inside.get("/console/static/htmx.min.js")
    assert "max-age" in static.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/console/moves/nothing", f"/console/moves/{UUID(int=1)}"])
def test_what_is_not_there_is_a_page_that_says_so(inside: httpx.Client, path: str) -> None:
    answer = inside.get(path)
    assert answer.status_code == 404
    assert "not_found" in answer.text


@pytest.mark.parametrize("path", ["tenants?name", "audit?client", "audit?action"])
def test_what_no_database_can_hold_is_refused_in_words(inside: httpx.Client, path: str) -> None:
    answer = inside.get(f"/console/{path}=a%00b")
    assert answer.status_code == 422
    assert "NUL" in answer.text


def test_a_button_that_fits_no_state_is_refused_as_the_command_is(inside: httpx.Client) -> None:
    form = {"reason": "because"}
    assert inside.post("/console/rebalance/resume", data=form, headers=OWN).status_code in (
        404,
        409,
    )
    assert inside.post("/console/rebalance/explode", data=form, headers=OWN).status_code == 404


def test_an_export_is_whole_bound_to_its_filter_and_itself_in_the_log(
    inside: httpx.Client, stage: Stage
) -> None:
    client_id = stage.client()
    answer = inside.get("/console/audit/export", params={"client": client_id})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert "attachment" in answer.headers["Content-Disposition"]
    assert lines[-1]["end"]["complete"] is True
    assert lines[-1]["end"]["rows"] == len(lines) - 1 >= 1
    assert {row["client_id"] for row in lines[:-1]} == {client_id}
    noted = log_of(stage.admin, action="audit.export")
    assert noted[0]["client_id"] == client_id
    assert noted[0]["user_id"] is not None


def test_a_tenants_chain_is_verified(inside: httpx.Client, stage: Stage) -> None:
    answer = inside.get("/console/audit/verify", params={"client": stage.client()})
    assert answer.status_code == 200
    assert "Sound" in answer.text
