"""What is served beside the tenants' calls."""

import re
import socket
from urllib.parse import urlsplit

import httpx

from tests.acceptance.api import Tenant
from tests.acceptance.fleet import LocalFleet, until


def test_health(anonymous: httpx.Client) -> None:
    assert anonymous.get("/healthz").json() == {"status": "ok"}
    ready = anonymous.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ready",
        "directory": "ready",
        "shards": {"shard-1": "ready", "shard-2": "ready"},
    }


def test_the_documentation_needs_nothing_from_elsewhere(anonymous: httpx.Client) -> None:
    page = anonymous.get("/docs")
    assert page.status_code == 200
    assert "unsafe-eval" not in page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    for link in links:
        assert link.startswith("/docs/")
        assert anonymous.get(link).status_code == 200
    assert anonymous.get("/openapi.json").json()["openapi"].startswith("3.1")


def test_type_of_an_error_leads_to_its_meaning(anonymous: httpx.Client) -> None:
    problem = anonymous.get("/v1/me").json()
    page, _, anchor = problem["type"].partition("#")
    assert f'id="{anchor}"' in anonymous.get(page).text


def test_public_keys(anonymous: httpx.Client) -> None:
    answer = anonymous.get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert {key["alg"] for key in answer.json()["keys"]} == {"EdDSA"}
    assert all("d" not in key for key in answer.json()["keys"]), "no private part"


def test_times_are_told(tenant: Tenant) -> None:
    timing = tenant.http.get(tenant.documents).headers["Server-Timing"]
    assert {"auth", "route", "pool", "db", "total"} <= set(re.findall(r"(\w+);dur=", timing))


def test_shares_are_told(tenant: Tenant) -> None:
    answer = tenant.http.get(tenant.documents)
    assert re.search(r'"principal";q=\d+;w=2', answer.headers["RateLimit-Policy"])
    assert re.search(r'"client";r=\d+;t=1', answer.headers["RateLimit"])


def test_no_server_name(anonymous: httpx.Client) -> None:
    assert "Server" not in anonymous.get("/healthz").headers


def test_what_is_not_http_is_refused(fleet: LocalFleet) -> None:
    where = urlsplit(fleet.api)
    with socket.create_connection((where.hostname, where.port), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_unknown_addresses(tenant: Tenant) -> None:
    for path in ("/", "/v1", "/v1/", "/v2/clients", f"{tenant.documents}/", "/docs/static/../x"):
        answer = tenant.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = tenant.http.put(tenant.documents)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_figures_of_all_workers_add_up(anonymous: httpx.Client) -> None:
    """A scrape meets any worker of the router; what it tells is what all have counted."""
    before = answered_to_nobody(anonymous)
    for _ in range(20):
        assert anonymous.get("/v1/me").status_code == 401
    until(lambda: answered_to_nobody(anonymous) >= before + 20)


def answered_to_nobody(anonymous: httpx.Client) -> int:
    page = anonymous.get("/metrics").raise_for_status().text
    found = re.search(r'^docshard_requests_total\{route="get_me",status="4xx"\} (\d+)$', page, re.M)
    return int(found[1]) if found else 0


def test_figures_are_not_for_those_behind_a_proxy(anonymous: httpx.Client) -> None:
    hidden = anonymous.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})
    assert (hidden.status_code, hidden.json()["code"]) == (404, "not_found")
