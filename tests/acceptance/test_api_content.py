"""Bytes in, the same bytes out, whatever happens on the way."""

import base64
import hashlib
import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.api import Tenant
from tests.acceptance.fleet import until


def digest_header(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


@pytest.mark.parametrize("size", [0, 1, 70_000, 11_000_000])
def test_bytes_come_back_as_they_were(tenant: Tenant, size: int) -> None:
    """I8."""
    content = os.urandom(size)
    path = f"{tenant.path(tenant.make_document())}/content"
    put = tenant.http.put(
        path,
        content=content,
        headers={"Content-Type": "image/png", "Repr-Digest": digest_header(content)},
    )
    assert put.status_code == 201, put.text
    version = put.json()
    assert version["checksum_sha256"] == hashlib.sha256(content).hexdigest()
    assert (version["version_number"], version["size"]) == (1, size)
    assert tenant.http.get(put.headers["Location"]).json() == version
    redirect = tenant.http.get(path)
    assert redirect.status_code == 307
    direct = httpx.get(redirect.headers["Location"])
    proxied = tenant.http.get(path, params={"proxy": "true"})
    for answer in (direct, proxied):
        assert answer.content == content
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Disposition"].startswith("attachment")
    assert proxied.headers["X-Content-Type-Options"] == "nosniff"
    assert proxied.headers["Content-Length"] == str(size)
    assert proxied.headers["Repr-Digest"] == digest_header(content)


def test_versions_are_numbered_and_stay(tenant: Tenant) -> None:
    """I7."""
    document = tenant.make_document()
    contents = [b"first", b"second", b"third"]
    numbers = [tenant.put(document, content)["version_number"] for content in contents]
    assert numbers == [1, 2, 3]
    path = tenant.path(document)
    listed = tenant.http.get(f"{path}/versions").json()["items"]
    assert [version["version_number"] for version in listed] == [3, 2, 1]
    for number, content in zip(numbers, contents, strict=True):
        answer = tenant.http.get(f"{path}/versions/{number}/content", params={"proxy": "true"})
        assert answer.content == content
    assert tenant.http.get(path).json()["current_version"] == 3
    for absent in ("4", "0", "x", "99999999999", "-1"):
        assert tenant.http.get(f"{path}/versions/{absent}").json()["code"] == "not_found"


def test_media_type_of_the_document_unless_told(tenant: Tenant) -> None:
    document = tenant.make_document(mime_type="text/markdown")
    assert tenant.put(document, b"# hello")["mime_type"] == "text/markdown"
    bad = tenant.http.put(
        f"{tenant.path(document)}/content", content=b"x", headers={"Content-Type": "nonsense"}
    )
    assert bad.json()["errors"][0]["pointer"] == "#Content-Type"


@pytest.mark.parametrize(
    ("wanted", "status", "expected"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=8-", 206, b"89"),
        ("bytes=-3", 206, b"789"),
        ("bytes=5-500", 206, b"56789"),
        ("bytes=0-1,4-5", 200, b"0123456789"),
        ("chars=0-1", 200, b"0123456789"),
    ],
)
def test_ranges(tenant: Tenant, wanted: str, status: int, expected: bytes) -> None:
    document = tenant.make_document()
    tenant.put(document, b"0123456789")
    address = f"{tenant.path(document)}/content?proxy=true"
    answer = tenant.http.get(address, headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (status, expected)
    assert answer.headers["Content-Length"] == str(len(expected))
    stale = tenant.http.get(address, headers={"Range": wanted, "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, b"0123456789")


def test_range_behind_the_end(tenant: Tenant) -> None:
    document = tenant.make_document()
    tenant.put(document, b"0123456789")
    address = f"{tenant.path(document)}/content?proxy=true"
    answer = tenant.http.get(address, headers={"Range": "bytes=10-"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == "bytes */10"


def test_no_content_yet(tenant: Tenant) -> None:
    answer = tenant.http.get(f"{tenant.path(tenant.make_document())}/content")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_content")


def test_wrong_digests_keep_nothing(tenant: Tenant) -> None:
    document = tenant.make_document()
    path = f"{tenant.path(document)}/content"
    wrong = tenant.http.put(path, content=b"abc", headers={"Repr-Digest": digest_header(b"abd")})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "checksum_mismatch")
    malformed = tenant.http.put(path, content=b"abc", headers={"Repr-Digest": "sha-256=abc"})
    assert malformed.json()["errors"][0]["pointer"] == "#Repr-Digest"
    assert tenant.http.get(f"{tenant.path(document)}/versions").json()["items"] == []


def test_more_than_the_limit_is_refused_before_it_is_sent(tenant: Tenant) -> None:
    path = f"{tenant.path(tenant.make_document())}/content"
    with _half_sent(tenant, path, length=6 * 1024**3, content=b"x") as raw:
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert b"content_too_large" in answer


def test_an_upload_cut_in_the_middle_leaves_no_version(tenant: Tenant) -> None:
    document = tenant.make_document()
    path = f"{tenant.path(document)}/content"
    with _half_sent(tenant, path, length=9_000_000, content=b"x" * 6_000_000):
        pass  # and away
    after = tenant.put(document, b"whole")
    assert after["version_number"] == 1
    logs = f"/v1/clients/{tenant.id}/audit-logs?entity_id={document['id']}"
    until(lambda: len(tenant.http.get(logs).json()["items"]) == 2)


def test_a_deleted_document_gives_no_content(tenant: Tenant) -> None:
    document = tenant.make_document()
    tenant.put(document, b"gone")
    path = tenant.path(document)
    tenant.http.delete(path, headers={"If-Match": "*"})
    for address in ("content", "versions", "versions/1", "versions/1/content"):
        assert tenant.http.get(f"{path}/{address}").json()["code"] == "not_found"
    put = tenant.http.put(f"{path}/content", content=b"more")
    assert (put.status_code, put.json()["code"]) == (404, "not_found")


def test_content_may_come_in_chunks(tenant: Tenant) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b"a" * 1000, b"b" * 1000)

    path = f"{tenant.path(tenant.make_document())}/content"
    assert tenant.http.put(path, content=chunks()).json()["size"] == 2000


def test_encoded_content_is_refused(tenant: Tenant) -> None:
    path = f"{tenant.path(tenant.make_document())}/content"
    answer = tenant.http.put(path, content=b"x", headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def _half_sent(tenant: Tenant, path: str, length: int, content: bytes) -> socket.socket:
    """Send a request's head and some of its body."""
    where = urlsplit(str(tenant.http.base_url))
    raw = socket.create_connection((where.hostname, where.port), timeout=10)
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {length}\r\n"
        f"Authorization: {tenant.http.headers['Authorization']}\r\n\r\n"
    )
    raw.sendall(head.encode() + content)
    return raw
