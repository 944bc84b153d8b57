"""The object store refuses, hangs or is not there: documents go on, content is clearly refused."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import HttpUrl

from services.blobs.store import BlobStore
from services.keys.local_file import create_key_file
from services.s3_settings import S3Settings
from tests.faults.resources.lab import Lab, assert_clear, lab_over, neighbour, settings_of
from tests.integration.databases import Fleet
from tests.integration.proxy import Proxy, proxy_to
from tests.integration.s3 import running_s3

# Three tries of at most a second each, with pauses between them, and what is undone afterwards.
_BOUND_SECONDS = 15.0


@pytest.fixture
async def proxy(s3_settings: S3Settings, blobs: BlobStore) -> AsyncIterator[Proxy]:
    port = urlsplit(str(s3_settings.endpoint)).port
    assert port is not None
    async with proxy_to(port) as made:
        yield made


@pytest.fixture
async def lab(
    own_fleet: Fleet, proxy: Proxy, s3_settings: S3Settings, tmp_path: Path
) -> AsyncIterator[Lab]:
    create_key_file(tmp_path / "key")
    s3 = s3_settings.model_copy(
        update={
            "endpoint": HttpUrl(f"http://127.0.0.1:{proxy.port}"),
            "connect_timeout_seconds": 1.0,
            "read_timeout_seconds": 1.0,
        }
    )
    async with lab_over(own_fleet, settings_of(own_fleet, tmp_path / "key", s3=s3)) as made:
        yield made


def hurt(proxy: Proxy, fault: str) -> None:
    """Let the store refuse connections, answer 503 SlowDown, or hang; or heal it."""
    proxy.deaf = fault == "refused"
    proxy.refuses = fault == "slow down"
    proxy.delay_seconds = 60.0 if fault == "hangs" else 0.0
    proxy.cut()


@pytest.mark.parametrize("fault", ["refused", "slow down", "hangs"])
async def test_content_is_refused_in_time_and_documents_go_on(
    lab: Lab, proxy: Proxy, tell: Callable[[str], None], fault: str
) -> None:
    document = await lab.struck.made()
    path = f"{lab.struck.documents}/{document['id']}/content"
    http = lab.struck.http
    assert (await http.put(path, content=b"first")).status_code == httpx.codes.CREATED
    async with neighbour(lab.spared) as others:
        struck_at = time.monotonic()
        hurt(proxy, fault)
        put, got = await asyncio.gather(
            http.put(path, content=b"second"), http.get(f"{path}?proxy=true")
        )
        assert time.monotonic() - struck_at < _BOUND_SECONDS
        for answer in (put, got):
            assert_clear(answer, "storage_unavailable")
        # Addresses are made here, and rows are elsewhere: neither needs the store.
        assert (await http.get(path)).status_code == httpx.codes.TEMPORARY_REDIRECT
        await lab.struck.made()
        hurt(proxy, "healed")
        healed_at = time.monotonic()
    again = await http.put(path, content=b"second")
    assert (again.status_code, again.json()["version_number"]) == (httpx.codes.CREATED, 2)
    assert (await http.get(f"{path}?proxy=true")).content == b"second"
    tell(others.told(f"object store: {fault}", struck_at, healed_at))


async def test_a_bucket_that_is_gone_is_the_store_that_is_away(
    own_fleet: Fleet, tmp_path: Path
) -> None:
    create_key_file(tmp_path / "key")
    with running_s3(tmp_path) as empty:
        settings = settings_of(own_fleet, tmp_path / "key", s3=empty.settings)
        async with lab_over(own_fleet, settings) as lab:
            document = await lab.struck.made()
            path = f"{lab.struck.documents}/{document['id']}/content"
            assert_clear(await lab.struck.http.put(path, content=b"x"), "storage_unavailable")
