"""Presigned addresses: they give the file, as a file, for a while, and nothing else."""

import hashlib
import time
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import httpx
import pytest

from services.blobs.direct import Announced
from services.blobs.store import BlobStore, Expected
from services.s3_settings import S3Settings

NAME = 'Résumé "final"\r\nX-Evil: 1 😀.pdf'
TYPE = "application/pdf"


@pytest.fixture
async def key(blobs: BlobStore) -> AsyncIterator[str]:
    key = f"presigned/{uuid4()}"

    async def content() -> AsyncIterator[bytes]:
        yield b"what is in it"

    await blobs.put_stream(key, content(), "text/plain", Expected(limit=100))
    yield key
    await blobs.delete(key)


def changed(url: str, **parameters: str) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | parameters
    return urlunsplit(parts._replace(query=urlencode(query)))


def test_the_address_gives_the_file_under_its_name(blobs: BlobStore, key: str) -> None:
    answer = httpx.get(blobs.presigned_get(key, NAME, TYPE, 60))
    assert answer.status_code == 200
    assert answer.content == b"what is in it"
    assert answer.headers["content-type"] == TYPE
    assert answer.headers["cache-control"] == "private, no-store"
    assert "x-evil" not in answer.headers
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="R_sum_ _final_X-Evil: 1 _.pdf"')
    assert "filename*=UTF-8''R%C3%A9sum%C3%A9" in disposition


def test_ranges_work_on_it(blobs: BlobStore, key: str) -> None:
    url = blobs.presigned_get(key, NAME, TYPE, 60)
    answer = httpx.get(url, headers={"Range": "bytes=5-6"})
    assert (answer.status_code, answer.content) == (206, b"is")


def test_a_changed_address_is_refused(blobs: BlobStore, key: str) -> None:
    url = blobs.presigned_get(key, NAME, TYPE, 60)
    assert httpx.get(changed(url)).status_code == 200
    for wrong in (
        changed(url, **{"response-content-disposition": "inline"}),
        changed(url, **{"response-content-type": "text/html"}),
        changed(url, **{"X-Amz-Expires": "600000"}),
        changed(url, **{"X-Amz-Signature": "0" * 64}),
        url.replace(key, f"{key}-other"),
        url.split("?", maxsplit=1)[0],
    ):
        assert httpx.get(wrong).status_code == 403
    assert httpx.delete(url).status_code == 403
    assert httpx.put(url, content=b"x").status_code == 403


def test_the_address_expires(blobs: BlobStore, key: str) -> None:
    url = blobs.presigned_get(key, NAME, TYPE, 1)
    deadline = time.monotonic() + 10
    while httpx.get(url).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert httpx.get(url).status_code == 403


async def test_pages_of_a_configured_origin_may_upload(
    s3_settings: S3Settings, blobs: BlobStore
) -> None:
    """The bucket's settings as a browser meets them; set again, they stay the same."""
    origin = "https://app.example.org"
    store = BlobStore(s3_settings.model_copy(update={"cors_origins": (origin,)}))
    for _ in range(2):
        await store.ensure_bucket()
    announced = Announced(3, hashlib.sha256(b"foo").digest(), "text/plain")
    request = store.direct.presign(f"presigned/{uuid4()}", announced, 60)
    await store.close()
    asked = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,x-amz-checksum-sha256",
    }
    async with httpx.AsyncClient() as http:
        allowed = await http.options(request.url, headers=asked | {"Origin": origin})
        stranger = {"Origin": "https://evil.example.org"}
        refused = await http.options(request.url, headers=asked | stranger)
    assert allowed.headers["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Origin" not in refused.headers
