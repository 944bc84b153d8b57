"""A proxy that tells two lies, for tests of those who must notice: one answer is of another
document, and one document is said to be made that nobody made."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx

_DOCUMENT = re.compile(r"^/v1/clients/[^/]+/documents/[^/?]+$")
_CREATION = re.compile(r"^/v1/clients/([^/]+)/documents$")
_OF_THE_CONNECTION = {"connection", "content-length", "transfer-encoding", "content-encoding"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.http = httpx.Client(base_url=target, timeout=30, trust_env=False)
        self.lies = {"read": threading.Semaphore(1), "creation": threading.Semaphore(1)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        creation = self.command == "POST" and _CREATION.match(self.path)
        # Its own key marks a creation of the load test; retries of it are lied to the same way.
        if creation and b"load_test" in body and self._may("creation"):
            self._send(201, {"ETag": '"1"'}, _invented(creation[1], json.loads(body)))
            return
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in {"host", *_OF_THE_CONNECTION, "accept-encoding"}
        }
        answer = self.server.http.request(self.command, self.path, content=body, headers=headers)
        content = answer.content
        if self.command == "GET" and _DOCUMENT.match(self.path) and self._may("read"):
            content = json.dumps({**answer.json(), "id": str(uuid4())}).encode()
        self._send(answer.status_code, answer.headers, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's

    def _may(self, lie: str) -> bool:
        """Each lie is told once."""
        return self.server.lies[lie].acquire(blocking=False)

    def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _invented(client_id: str, asked: dict[str, Any]) -> bytes:
    return json.dumps({"id": str(uuid4()), "client_id": client_id, **asked}).encode()


@contextmanager
def lying_proxy(target: str) -> Iterator[str]:
    """The base URL of a proxy in front of this one."""
    server = _Server(target)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        server.http.close()
