"""Whole files: the conversation as plain data, step by step, with the object store played."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from docshard_client import ConnectionFailed, Docshard, FileChanged, Retry, StorageRefused
from docshard_client.session import Bearer, Session
from docshard_client.steps import (
    Exchange,
    Fetching,
    Job,
    Outcome,
    Pause,
    Sending,
    Together,
    Work,
)

CLIENT, DOCUMENT, UPLOAD = (UUID(int=n) for n in (1, 2, 3))
PART = 10
CONTENT = bytes(range(35))
DIGEST = hashlib.sha256(CONTENT).hexdigest()
DOCUMENT_BODY = {
    "id": str(DOCUMENT),
    "client_id": str(CLIENT),
    "original_name": "a.bin",
    "mime_type": "application/octet-stream",
    "current_version": 1,
    "metadata": {},
    "created_at": "2026-01-01T00:00:00Z",
    "created_by": str(UUID(int=7)),
    "updated_at": "2026-01-01T00:00:00Z",
    "legal_hold": False,
}
VERSION_BODY = {
    "id": str(UPLOAD),
    "document_id": str(DOCUMENT),
    "version_number": 1,
    "mime_type": "application/octet-stream",
    "size": len(CONTENT),
    "checksum_sha256": DIGEST,
    "created_at": "2026-01-01T00:00:00Z",
    "created_by": str(UUID(int=7)),
}


def presigned(number: int) -> dict[str, Any]:
    first = (number - 1) * PART
    size = min(PART, len(CONTENT) - first)
    return {
        "method": "PUT",
        "url": f"http://s3/{number}",
        "headers": {"Content-Length": str(size)},
        "part_number": number,
        "first": first,
        "size": size,
    }


UPLOAD_BODY = {
    "upload_id": str(UPLOAD),
    "expires_at": "2026-01-02T00:00:00Z",
    "upload": None,
    "parts": [presigned(number) for number in (1, 2, 3, 4)],
}


MADE = DOCUMENT_BODY | {"upload": UPLOAD_BODY}
ANSWERS: list[tuple[Callable[[str, str], bool], Callable[[], httpx.Response]]] = [
    (lambda _, path: path.endswith("/complete"), lambda: httpx.Response(201, json=VERSION_BODY)),
    (lambda _, path: path.endswith("/versions/1"), lambda: httpx.Response(200, json=VERSION_BODY)),
    (
        lambda _, path: path.endswith("/content"),
        lambda: httpx.Response(307, headers={"Location": "http://s3/blob"}),
    ),
    (
        lambda method, _: method == "POST",
        lambda: httpx.Response(201, json=MADE, headers={"ETag": '"1"'}),
    ),
    (lambda method, _: method == "DELETE", lambda: httpx.Response(204)),
    (
        lambda method, _: method == "GET",
        lambda: httpx.Response(200, json=DOCUMENT_BODY),
    ),
]


@dataclass
class World:
    """Plays the service and the object store; faults are answered first, in their order."""

    faults: dict[str, list[Outcome | bytes]] = field(default_factory=dict)
    """By URL. For a download, bytes: so many come, then the connection breaks."""
    requests: list[httpx.Request] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)

    def seen(self, method: str, end: str) -> int:
        return sum(r.method == method and r.url.path.endswith(end) for r in self.requests)

    def run(self, job: Job[Any]) -> Any:
        retry = Retry(attempts=3)
        return self.drive(job(Session("http://service", Bearer("dsk_1"), retry)))

    def drive(self, steps: Exchange[Any]) -> Any:
        go_on: Callable[[Any], Any] = steps.send
        given: Any = None
        while True:
            try:
                step = go_on(given)
            except StopIteration as done:
                return done.value
            try:
                go_on, given = steps.send, self.perform(step)
            except Exception as error:
                go_on, given = steps.throw, error

    def perform(self, step: Any) -> Any:
        match step:
            case httpx.Request():
                return self.answer(step)
            case Work():
                return step.function()
            case Sending():
                return self.take(step)
            case Fetching():
                return self.give(step)
            case Together():
                return [self.drive(one) for one in step.exchanges]
            case _:
                assert isinstance(step, Pause)
                return None

    def answer(self, request: httpx.Request) -> Outcome:
        self.requests.append(request)
        path = request.url.path
        if faults := self.faults.get(path):
            fault = faults.pop(0)
            assert not isinstance(fault, bytes)
            return fault
        return next(made() for fits, made in ANSWERS if fits(request.method, path))

    def take(self, step: Sending) -> Outcome:
        url = str(step.request.url)
        self.requests.append(step.request)
        sent = b""
        for chunk in step.body():
            sent += chunk
            step.moved(len(chunk))
        if faults := self.faults.get(url):
            fault = faults.pop(0)
            assert not isinstance(fault, bytes)
            return fault
        self.stored[url] = sent
        return httpx.Response(200)

    def give(self, step: Fetching) -> Outcome:
        self.requests.append(step.request)
        wanted = step.request.headers.get("Range")
        first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        fault = (self.faults.get(str(step.request.url)) or [b""]).pop(0)
        if not isinstance(fault, bytes):
            return fault
        extent = {"Content-Range": f"bytes {first}-34/35"}
        response = httpx.Response(206, headers=extent) if wanted else httpx.Response(200)
        step.sink.begin(response)
        chunk = fault or CONTENT[first:]
        step.sink.take(chunk)
        step.moved(len(chunk))
        return httpx.ReadError("cut") if fault else response


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    return path


def test_parts_are_sent_each_by_its_request(source: Path) -> None:
    world, seen = World(), list[tuple[int, int]]()
    progress = lambda done, total: seen.append((done, total))  # noqa: E731 - short
    version = world.run(Docshard.upload_file.job(CLIENT, source, progress=progress))
    assert (version.version_number, version.checksum_sha256) == (1, DIGEST)
    assert b"".join(world.stored[f"http://s3/{n}"] for n in (1, 2, 3, 4)) == CONTENT
    assert [done for done, _ in seen] == [0, 10, 20, 30, 35]
    assert {total for _, total in seen} == {35}


def test_a_part_that_fails_is_sent_again_alone(source: Path) -> None:
    world = World({"http://s3/2": [httpx.WriteError("cut"), httpx.Response(503)]})
    seen: list[int] = []
    world.run(Docshard.upload_file.job(CLIENT, source, progress=lambda done, _: seen.append(done)))
    assert [world.seen("PUT", f"/{n}") for n in (1, 2, 3, 4)] == [1, 3, 1, 1]
    assert (world.stored["http://s3/2"], seen[-1]) == (CONTENT[10:20], 35)
    assert seen.count(20) == 3 and max(seen) == 35  # what a failed attempt had sent was taken back


@pytest.mark.parametrize(
    ("fault", "error"),
    [(httpx.Response(403, text="<Code>SignatureDoesNotMatch</Code>"), StorageRefused),
     (httpx.WriteError("cut"), ConnectionFailed)],
)  # fmt: skip
def test_what_cannot_be_sent_leaves_nothing(
    source: Path, fault: Outcome, error: type[Exception]
) -> None:
    world = World({"http://s3/3": [fault] * 3})
    with pytest.raises(error) as caught:
        world.run(Docshard.upload_file.job(CLIENT, source))
    assert "http://s3" not in str(caught.value)  # the address is a permission
    assert world.seen("DELETE", f"/uploads/{UPLOAD}") == 1
    assert world.seen("DELETE", f"/documents/{DOCUMENT}") == 1


def test_a_version_that_cannot_be_sent_leaves_its_document(source: Path) -> None:
    faults = [httpx.Response(403)]
    path = f"/v1/clients/{CLIENT}/documents/{DOCUMENT}/uploads"
    world = World({"http://s3/1": [*faults], path: [httpx.Response(201, json=UPLOAD_BODY)]})
    with pytest.raises(StorageRefused):
        world.run(Docshard.upload_file.job(CLIENT, source, document_id=DOCUMENT))
    assert world.seen("DELETE", f"/uploads/{UPLOAD}") == 1
    assert world.seen("DELETE", f"/documents/{DOCUMENT}") == 0


def test_a_file_that_shrinks_meanwhile_is_an_error_of_its_own(source: Path) -> None:
    world = World()

    def shrink(done: int, total: int) -> None:
        os.truncate(source, 15)

    with pytest.raises(FileChanged):
        world.run(Docshard.upload_file.job(CLIENT, source, progress=shrink))
    assert world.seen("DELETE", f"/uploads/{UPLOAD}") == 1


def test_completing_is_patient(source: Path) -> None:
    """The service proves large uploads a few at a time."""
    complete = f"/v1/clients/{CLIENT}/documents/{DOCUMENT}/uploads/{UPLOAD}/complete"
    busy = httpx.Response(503, json={"code": "overloaded"})
    world = World({complete: [busy] * 8})
    assert world.run(Docshard.upload_file.job(CLIENT, source)).version_number == 1


def test_a_download_goes_on_where_it_broke(tmp_path: Path) -> None:
    # More breaks than attempts: each came further.
    world = World({"http://s3/blob": [CONTENT[n : n + 5] for n in range(0, 30, 5)]})
    target, seen = tmp_path / "b.bin", list[int]()
    world.run(
        Docshard.download_file.job(CLIENT, DOCUMENT, target, progress=lambda d, _: seen.append(d))
    )
    assert target.read_bytes() == CONTENT
    ranges = [r.headers.get("Range") for r in world.requests if r.url.host == "s3"]
    assert ranges == [None, *(f"bytes={n}-" for n in range(5, 35, 5))]
    assert seen == [0, *range(5, 35, 5), 35]
    assert world.seen("GET", "/versions/1/content") == 7  # addresses live for a minute
    assert all("Authorization" not in r.headers for r in world.requests if r.url.host == "s3")


@pytest.mark.parametrize("number", [None, 1])
def test_a_download_is_of_one_version_throughout(tmp_path: Path, number: int | None) -> None:
    world = World()
    world.run(Docshard.download_file.job(CLIENT, DOCUMENT, tmp_path / "b.bin", number=number))
    paths = [r.url.path for r in world.requests if r.url.path.endswith("/content")]
    assert paths == [f"/v1/clients/{CLIENT}/documents/{DOCUMENT}/versions/1/content"]


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ([b"other" * 6], FileChanged),
        ([httpx.Response(404, text="<Code>NoSuchKey</Code>")], StorageRefused),
        ([httpx.ReadError("cut")] * 3, ConnectionFailed),
    ],
)
def test_a_download_that_fails_leaves_the_place_as_it_was(
    tmp_path: Path, faults: list[Outcome | bytes], error: type[Exception]
) -> None:
    target = tmp_path / "b.bin"
    target.write_bytes(b"before")
    with pytest.raises(error):
        World({"http://s3/blob": faults}).run(Docshard.download_file.job(CLIENT, DOCUMENT, target))
    assert [path.name for path in tmp_path.iterdir()] == ["b.bin"]
    assert target.read_bytes() == b"before"


def test_an_answer_that_ignores_the_range_begins_anew(tmp_path: Path) -> None:
    world = World({"http://s3/blob": [CONTENT[:20]]})
    target, give = tmp_path / "b.bin", world.give

    def whole(step: Fetching) -> Outcome:
        step.request.headers.pop("Range", None)
        return give(step)

    world.give = whole  # type: ignore[method-assign]  # this object store knows no ranges
    world.run(Docshard.download_file.job(CLIENT, DOCUMENT, target))
    assert target.read_bytes() == CONTENT
