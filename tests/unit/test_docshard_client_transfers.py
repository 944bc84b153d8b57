"""Whole files: the conversation as plain data, step by step."""

import os
from pathlib import Path

import httpx
import pytest

from docshard_client import ConnectionFailed, Docshard, FileChanged, StorageRefused
from docshard_client.steps import Fetching, Outcome
from tests.unit.transfer_world import CLIENT, CONTENT, DIGEST, DOCUMENT, UPLOAD, UPLOAD_BODY, World


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


def test_with_the_callers_key_it_waits_for_another_try(source: Path) -> None:
    upload = Docshard.upload_file.job(CLIENT, source, idempotency_key="mine")
    world = World({"http://s3/3": [httpx.WriteError("cut")] * 3})
    with pytest.raises(ConnectionFailed):
        world.run(upload)
    assert not any(request.method == "DELETE" for request in world.requests)
    assert world.run(upload).version_number == 1
    # Complete by now, the store knows no such upload any more; the service does.
    gone = httpx.Response(404, text="<Code>NoSuchUpload</Code>")
    world.faults = {f"http://s3/{number}": [gone] for number in (1, 2, 3, 4)}
    assert world.run(upload).version_number == 1


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
    assert [path.name for path in tmp_path.iterdir()] == ["b.bin"]
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
