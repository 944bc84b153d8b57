"""A double of HashiCorp Vault: the two calls of its transit engine that we use, over HTTP.

It is no Vault. It answers as Vault's documentation says that Vault does, with real AES-256-GCM, and
shows that our side of the protocol is what we mean it to be.
"""

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.key_settings import VaultSettings
from services.keys.vault_transit import VaultTransitProvider

KEY, MOUNT = "docshard", "transit"


class Refused(Exception):
    """An answer with `errors`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class VaultDouble:
    """Its state, which a test may change at any time."""

    token_file: Path
    host: str = "127.0.0.1"
    port: int = 0
    token: str = "hvs.first"
    sealed: bool = False
    knows_associated_data: bool = True
    versions: list[bytes] = field(default_factory=lambda: [os.urandom(32)])

    def settings(self) -> VaultSettings:
        """How our side is told of it."""
        return VaultSettings.model_validate(
            {
                "addr": f"http://{self.host}:{self.port}",
                "token_file": self.token_file,
                "transit_key": KEY,
                "mount": MOUNT,
                "timeout_seconds": 0.5,
            }
        )

    def provider(self) -> VaultTransitProvider:
        """Our side of it."""
        return VaultTransitProvider(self.settings())

    def rotate(self) -> None:
        """A new version of the transit key; older ones still decrypt."""
        self.versions.append(os.urandom(32))

    def answer(self, path: str, token: str | None, body: dict[str, Any]) -> dict[str, Any]:
        """What Vault answers to a POST."""
        if self.sealed:
            raise Refused(503, "Vault is sealed")
        if token != self.token:
            raise Refused(403, "permission denied")
        if path == f"/v1/{MOUNT}/encrypt/{KEY}":
            return {"ciphertext": self._encrypt(body), "key_version": len(self.versions)}
        if path == f"/v1/{MOUNT}/decrypt/{KEY}":
            return {"plaintext": base64.b64encode(self._decrypt(body)).decode()}
        raise Refused(403, "permission denied")

    def _encrypt(self, body: dict[str, Any]) -> str:
        nonce = os.urandom(12)
        plain = base64.b64decode(body["plaintext"])
        sealed = nonce + AESGCM(self.versions[-1]).encrypt(nonce, plain, self._bound(body))
        return f"vault:v{len(self.versions)}:{base64.b64encode(sealed).decode()}"

    def _decrypt(self, body: dict[str, Any]) -> bytes:
        try:
            _, version, text = body["ciphertext"].split(":")
            key, sealed = self.versions[int(version[1:]) - 1], base64.b64decode(text)
        except (ValueError, IndexError):
            raise Refused(400, "invalid ciphertext: no prefix") from None
        try:
            return AESGCM(key).decrypt(sealed[:12], sealed[12:], self._bound(body))
        except InvalidTag:
            raise Refused(400, "cipher: message authentication failed") from None

    def _bound(self, body: dict[str, Any]) -> bytes:
        given = body.get("associated_data", "") if self.knows_associated_data else ""
        return base64.b64decode(given)


@contextmanager
def running(double: VaultDouble) -> Iterator[VaultDouble]:
    """Let it listen for the length of the block."""
    double.token_file.write_text(double.token + "\n")
    server = ThreadingHTTPServer((double.host, double.port), _handler(double))
    double.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(double: VaultDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                data = double.answer(self.path, self.headers.get("X-Vault-Token"), body)
                self._answer(200, {"request_id": "1", "data": data})
            except Refused as error:
                self._answer(error.status, {"errors": [str(error)]})

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: bodies are secrets."""

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
