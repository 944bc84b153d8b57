"""A service and an object store, played step by step for what the SDK does with whole files."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from docshard_client import Retry
from docshard_client.session import Bearer, Job, Session
from docshard_client.steps import (
    Exchange,
    Fetching,
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
