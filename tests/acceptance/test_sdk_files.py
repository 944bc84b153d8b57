"""upload_file and download_file against a running fleet, over a line that breaks."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from docshard_client import (
    AsyncDocshard,
    Conflict,
    ConnectionFailed,
    Docshard,
    NotFound,
    Retry,
    StorageRefused,
)
from tests.acceptance.api import Tenant
from tests.acceptance.fleet import LocalFleet
from tests.integration.proxy import Proxy, proxy_to
from tests.integration.test_large_uploads import watching

MIB = 1024**2
IN_PARTS = 65 * MIB
SIZES = [IN_PARTS, pytest.param(2048 * MIB, marks=pytest.mark.torture)]
HASTY = Retry(attempts=6, first_pause=0.01)
FLAT = 32 * MIB
"""How much more memory a transfer may take, whatever the file's size."""


class Detour(httpx.AsyncHTTPTransport):
    """Goes to the object store by another port; what is signed, the Host header too, stays."""

    def __init__(self, port: int, by: int) -> None:
        super().__init__()
        self._port, self._by = port, by

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.port == self._port:
            request.url = request.url.copy_with(port=self._by)
        return await super().handle_async_request(request)


class BlockingDetour(httpx.HTTPTransport):
    """The same."""

    def __init__(self, port: int, by: int) -> None:
        super().__init__()
        self._port, self._by = port, by

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.port == self._port:
            request.url = request.url.copy_with(port=self._by)
        return super().handle_request(request)


@dataclass(frozen=True)
class Account:
    """Who stores files, and where."""

    url: str
    key: str = field(repr=False)
    client_id: UUID


@pytest.fixture(scope="module")
def account(fleet: LocalFleet, tenant: Tenant) -> Account:
    key = tenant.http.headers["Authorization"].removeprefix("Bearer ")
    return Account(fleet.api, key, UUID(tenant.id))


@pytest.fixture(scope="module")
def client_id(account: Account) -> UUID:
    return account.client_id


@pytest.fixture(scope="module")
def api(account: Account) -> Iterator[Docshard]:
    with Docshard(account.url, account.key) as api:
        yield api


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return large_file(tmp_path_factory.mktemp("large"), IN_PARTS)


@pytest.fixture(scope="module")
async def line(api: Docshard, client_id: UUID) -> AsyncIterator[Proxy]:
    """The way to the object store."""
    made = api.create_document(client_id, "a", "text/plain", size=1, checksum_sha256="0" * 64)
    assert made.upload is not None and made.upload.upload is not None
    port = urlsplit(made.upload.upload.url).port
    assert port is not None
    async with proxy_to(port) as proxy:
        yield proxy


def large_file(folder: Path, size: int) -> Path:
    """Random at both ends; sparse between, so that two GiB are made in no time."""
    path = folder / f"{size}.bin"
    with path.open("wb") as file:
        file.write(os.urandom(MIB))
        file.seek(size - MIB)
        file.write(os.urandom(MIB))
    return path


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Cutter:
    """A progress that cuts the line once, when `at` bytes are done."""

    cut: Callable[[], object]
    at: int
    has_cut: bool = False

    def __call__(self, done: int, total: int) -> None:
        if done > self.at and not self.has_cut:
            self.has_cut = True
            self.cut()


@pytest.mark.parametrize("size", [0, 10, MIB])
def test_a_file_there_and_back(api: Docshard, client_id: UUID, tmp_path: Path, size: int) -> None:
    there, back = tmp_path / "Bericht 1.txt", tmp_path / "back"
    there.write_bytes(os.urandom(size))
    seen: list[tuple[int, int]] = []
    made = api.upload_file(
        client_id, there, metadata={"kind": "report"}, progress=lambda *at: seen.append(at)
    )
    document = api.get_document(client_id, made.document_id)
    assert (document.original_name, document.mime_type) == ("Bericht 1.txt", "text/plain")
    assert (document.metadata, document.size) == ({"kind": "report"}, size)
    assert seen[-1] == (size, size)
    there.write_bytes(b"another")
    again = api.upload_file(client_id, there, document_id=made.document_id)
    assert (again.version_number, again.mime_type) == (2, "text/plain")
    for number, checksum in ((1, made.checksum_sha256), (2, digest(there)), (None, digest(there))):
        for proxy in (False, True):
            version = api.download_file(
                client_id, made.document_id, back, number=number, proxy=proxy
            )
            assert digest(back) == version.checksum_sha256 == checksum


def test_a_document_without_content_is_told_as_that(
    api: Docshard, client_id: UUID, tmp_path: Path
) -> None:
    made = api.create_document(client_id, "empty.txt", "text/plain")
    with pytest.raises(Conflict) as caught:
        api.download_file(client_id, made.id, tmp_path / "a")
    assert caught.value.code == "no_content"
    assert list(tmp_path.iterdir()) == []


def test_the_same_key_resumes_the_same_upload(
    api: Docshard, client_id: UUID, tmp_path: Path
) -> None:
    """I2."""
    path = tmp_path / "once.txt"
    path.write_text("once")
    first, second = (api.upload_file(client_id, path, idempotency_key="once-1") for _ in "ab")
    assert first == second


@pytest.mark.parametrize("size", SIZES)
async def test_a_line_that_breaks_in_the_asynchronous_face(
    account: Account, line: Proxy, tmp_path: Path, size: int
) -> None:
    """I8, and I9: memory is flat, the event loop free."""
    source, back = large_file(tmp_path, size), tmp_path / "back"
    up, down = (Cutter(line.cut, at) for at in (20 * MIB, 30 * MIB))
    transport = Detour(line.target, line.port)
    async with (
        httpx.AsyncClient(transport=transport, timeout=60) as http,
        AsyncDocshard(account.url, account.key, retry=HASTY, http=http) as api,
        watching() as watch,
    ):
        sent = await api.upload_file(account.client_id, source, progress=up)
        await api.download_file(account.client_id, sent.document_id, back, progress=down)
    assert up.has_cut and down.has_cut
    assert digest(back) == sent.checksum_sha256 == digest(source)
    assert watch.growth < FLAT
    assert watch.longest_pause < 1


async def test_a_line_that_breaks_in_the_blocking_face(
    account: Account, line: Proxy, large: Path, tmp_path: Path
) -> None:
    """I8."""
    back, loop = tmp_path / "back", asyncio.get_running_loop()
    up, down = (
        Cutter(lambda: loop.call_soon_threadsafe(line.cut), at) for at in (20 * MIB, 30 * MIB)
    )

    def there_and_back() -> None:
        transport = BlockingDetour(line.target, line.port)
        with (
            httpx.Client(transport=transport, timeout=60) as http,
            Docshard(account.url, account.key, retry=HASTY, http=http) as api,
        ):
            sent = api.upload_file(account.client_id, large, progress=up)
            api.download_file(account.client_id, sent.document_id, back, progress=down)

    await asyncio.to_thread(there_and_back)
    assert up.has_cut and down.has_cut
    assert digest(back) == digest(large)


async def test_a_store_that_refuses_leaves_nothing(
    account: Account, line: Proxy, large: Path
) -> None:
    line.refuses = True
    try:
        async with (
            httpx.AsyncClient(transport=Detour(line.target, line.port), timeout=20) as http,
            AsyncDocshard(account.url, account.key, retry=HASTY, http=http) as api,
        ):
            before = [d.id async for d in api.list_documents(account.client_id)]
            with pytest.raises((ConnectionFailed, StorageRefused), match="object store"):
                await api.upload_file(account.client_id, large)
            assert [d.id async for d in api.list_documents(account.client_id)] == before
    finally:
        line.refuses = False


async def test_who_is_cancelled_leaves_nothing(account: Account, large: Path) -> None:
    async with AsyncDocshard(account.url, account.key) as api:
        before = [d.id async for d in api.list_documents(account.client_id)]
        begun = asyncio.Event()

        def progress(done: int, total: int) -> None:
            if done:
                begun.set()

        task = asyncio.create_task(api.upload_file(account.client_id, large, progress=progress))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [d.id async for d in api.list_documents(account.client_id)] == before


def test_a_foreign_document_is_absent(api: Docshard, other_tenant: Tenant, tmp_path: Path) -> None:
    """I4."""
    with pytest.raises(NotFound):
        api.download_file(UUID(other_tenant.id), UUID(int=1), tmp_path / "a")
