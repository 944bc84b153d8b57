"""What tenants know from elsewhere and count on: keeping, names, equal content, many at once."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.api import Tenant
from tests.acceptance.test_api_uploads import announced, send, uploaded

ANY = {"If-Match": "*"}


def begun(
    tenant: Tenant, document: dict[str, Any], content: bytes, **headers: str
) -> dict[str, Any]:
    answer = tenant.http.post(
        f"{tenant.path(document)}/uploads", json=announced(content), headers=headers
    )
    assert answer.status_code == 201, answer.text
    upload: dict[str, Any] = answer.json()
    return upload


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.mark.parametrize("keeping", ["legal_hold", "retain_until"])
def test_what_must_be_kept_is_kept_even_from_administrators(
    tenant: Tenant, admin: httpx.Client, keeping: str
) -> None:
    document = tenant.make_document()
    tenant.put(document, b"evidence")
    path = tenant.path(document)
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    given = {"legal_hold": {"legal_hold": True}, "retain_until": {"retain_until": until}}
    assert tenant.http.patch(path, json=given[keeping], headers=ANY).status_code == 200
    assert tenant.http.delete(path, headers=ANY).status_code == 204
    for caller in (tenant.http, admin):
        refused(caller.post(f"{path}/purge"), 409, "retained")
    assert tenant.http.post(f"{path}/restore").status_code == 200
    sooner = {"retain_until": "2001-01-01T00:00:00Z"}
    if keeping == "retain_until":
        refused(admin.patch(path, json=sooner, headers=ANY), 409, "retained")
    assert tenant.http.get(f"{path}/content?proxy=true").content == b"evidence"


@pytest.mark.parametrize("name", ["Résumé 日本 😀.pdf", 'a "quoted" name; x.txt', "100%.txt"])
def test_files_are_saved_under_their_names(tenant: Tenant, name: str) -> None:
    """RFC 6266, from S3 and through the router."""
    document = tenant.make_document(original_name=name)
    tenant.put(document, b"bytes")
    address = f"{tenant.path(document)}/content"
    redirect = tenant.http.get(address)
    for answer in (
        httpx.get(redirect.headers["Location"]),
        tenant.http.get(address, params={"proxy": "true"}),
    ):
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith('attachment; filename="')
        assert unquote(disposition.split("filename*=UTF-8''")[1]) == name


def test_storage_takes_only_what_was_announced(tenant: Tenant) -> None:
    document = tenant.make_document()
    upload = begun(tenant, document, b"announced")
    request, path = upload["upload"], f"{tenant.path(document)}/uploads/{upload['upload_id']}"
    with httpx.Client() as http:
        for other in (b"different", b"much longer than announced", b""):
            headers = {**request["headers"], "Content-Length": str(len(other))}
            assert http.put(request["url"], headers=headers, content=other).status_code in {
                400,
                403,
            }
    refused(tenant.http.post(f"{path}/complete"), 409, "upload_incomplete")
    send(upload, b"announced")
    assert tenant.http.post(f"{path}/complete").json()["version_number"] == 1


def test_an_upload_asked_for_again_is_the_same(tenant: Tenant) -> None:
    """I2."""
    document, key = tenant.make_document(), str(uuid4())
    first, again = [begun(tenant, document, b"x", **{"Idempotency-Key": key}) for _ in "ab"]
    assert first["upload_id"] == again["upload_id"]
    other = tenant.http.post(
        f"{tenant.path(document)}/uploads",
        json=announced(b"y"),
        headers={"Idempotency-Key": key},
    )
    refused(other, 422, "idempotency_mismatch")


def test_equal_content_is_a_version_of_its_own_everywhere(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    """I4, I7: kept once or twice, nobody can tell."""
    content = os.urandom(2000)
    for owner in (tenant, other_tenant):
        document = owner.make_document()
        for number in (1, 2):
            assert uploaded(owner, document, content)["version_number"] == number
        assert owner.put(document, content)["version_number"] == 3
        for number in (1, 2, 3):
            path = f"{owner.path(document)}/versions/{number}/content?proxy=true"
            assert owner.http.get(path).content == content


@pytest.mark.parametrize("twice", [False, True], ids=["new content", "the newest again"])
def test_completed_by_many_at_once_it_is_one_version(tenant: Tenant, *, twice: bool) -> None:
    """I2, I7: through every router process there is."""
    document, content = tenant.make_document(), os.urandom(5000)
    if twice:
        tenant.put(document, content)
    upload = begun(tenant, document, content)
    send(upload, content)
    path = f"{tenant.path(document)}/uploads/{upload['upload_id']}/complete"
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: tenant.http.post(path), range(8)))
    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.text for answer in answers}) == 1
    listed = tenant.http.get(f"{tenant.path(document)}/versions").json()["items"]
    assert [one["version_number"] for one in listed] == [2, 1][not twice :]


def test_of_many_who_saw_the_same_one_wins(tenant: Tenant) -> None:
    """I1: compare and set by ETag, while content comes in beside it (I7)."""
    document = tenant.make_document()
    path = tenant.path(document)

    def rename(number: int) -> httpx.Response:
        body = {"original_name": f"{number}.txt"}
        return tenant.http.patch(path, json=body, headers={"If-Match": '"1"'})

    def put(number: int) -> httpx.Response:
        return tenant.http.put(f"{path}/content", content=b"%d" % number)

    with ThreadPoolExecutor(10) as threads:
        renamed = list(threads.map(rename, range(10)))
        stored = list(threads.map(put, range(10)))
    assert sorted(answer.status_code for answer in renamed) == [200, *[412] * 9]
    winner = next(answer for answer in renamed if answer.status_code == 200)
    assert tenant.http.get(path).json()["original_name"] == winner.json()["original_name"]
    versions = {answer.json()["version_number"]: n for n, answer in enumerate(stored)}
    assert sorted(versions) == list(range(1, 11))
    for number, n in versions.items():
        shown = tenant.http.get(f"{path}/versions/{number}").json()
        assert shown["checksum_sha256"] == hashlib.sha256(b"%d" % n).hexdigest()


def test_a_part_of_an_older_version(tenant: Tenant) -> None:
    document = tenant.make_document()
    for content in (b"0123456789", b"other"):
        tenant.put(document, content)
    path = f"{tenant.path(document)}/versions/1/content"
    first = tenant.http.get(path, params={"proxy": "true"}, headers={"Range": "bytes=2-4"})
    assert (first.status_code, first.content) == (206, b"234")
    assert first.headers["Content-Range"] == "bytes 2-4/10"
    more = {"Range": "bytes=5-", "If-Range": first.headers["ETag"]}
    rest = tenant.http.get(path, params={"proxy": "true"}, headers=more)
    assert (rest.status_code, rest.content) == (206, b"56789")
    redirect = tenant.http.get(path)
    direct = httpx.get(redirect.headers["Location"], headers={"Range": "bytes=-1"})
    assert (direct.status_code, direct.content) == (206, b"9")
