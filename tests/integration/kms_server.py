"""A small server that speaks AWS KMS's JSON protocol: Encrypt and Decrypt by symmetric keys.

It is not AWS KMS, and it is strict where KMS is: a ciphertext opens with its key, in its
encryption context, unchanged, and for a request whose Signature Version 4 is right. The servers on
the package index were tried and are laxer: one takes {"a": "1", "b": "2"} and {"a": "1b2"} for the
same context, another opens with any key, and lets changed bytes through.

Keys live in a file, so the server may be killed and started again, and a test may disable a key by
writing there. Run it: `python -m tests.integration.kms_server PORT FILE`.
"""

import base64
import hmac
import json
import os
import re
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ACCESS_KEY, SECRET_KEY, REGION = "the-tests", "of-the-tests-alone", "eu-central-1"

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/kms/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_MAX_PLAINTEXT = 4096


class Refused(Exception):
    """An error by its AWS name."""


def arn(key_id: str) -> str:
    """The name of a key that KMS answers with."""
    return f"arn:aws:kms:{REGION}:000000000000:key/{key_id}"


@dataclass(frozen=True)
class KeyFile:
    """Keys by id, each {secret, enabled}."""

    path: Path

    def put(self, key_id: str, secret: bytes, *, enabled: bool = True) -> None:
        """Write a key, also over one that is there."""
        keys = json.loads(self.path.read_text()) if self.path.exists() else {}
        keys[key_id] = {"secret": base64.b64encode(secret).decode(), "enabled": enabled}
        scratch = self.path.with_suffix(".new")
        scratch.write_text(json.dumps(keys))
        scratch.replace(self.path)

    def cipher(self, key_id: str) -> AESGCM:
        """The key as a cipher, unless it is absent or disabled."""
        key = json.loads(self.path.read_text()).get(key_id)
        if key is None:
            raise Refused("NotFoundException")
        if not key["enabled"]:
            raise Refused("DisabledException")
        return AESGCM(base64.b64decode(key["secret"]))


def encrypt(keys: KeyFile, request: dict[str, Any]) -> dict[str, Any]:
    """The action Encrypt."""
    key_id = _key_id(request["KeyId"])
    plain = base64.b64decode(request["Plaintext"])
    if not 0 < len(plain) <= _MAX_PLAINTEXT:
        raise Refused("ValidationException")
    nonce = os.urandom(12)
    sealed = keys.cipher(key_id).encrypt(nonce, plain, _context(request))
    blob = UUID(key_id).bytes + nonce + sealed
    return {"KeyId": arn(key_id), "CiphertextBlob": base64.b64encode(blob).decode()}


def decrypt(keys: KeyFile, request: dict[str, Any]) -> dict[str, Any]:
    """The action Decrypt."""
    blob = base64.b64decode(request["CiphertextBlob"])
    if len(blob) < 16 + 12 + 16:
        raise Refused("InvalidCiphertextException")
    key_id = str(UUID(bytes=blob[:16]))
    if "KeyId" in request and _key_id(request["KeyId"]) != key_id:
        raise Refused("IncorrectKeyException")
    try:
        plain = keys.cipher(key_id).decrypt(blob[16:28], blob[28:], _context(request))
    except InvalidTag:
        raise Refused("InvalidCiphertextException") from None
    return {"KeyId": arn(key_id), "Plaintext": base64.b64encode(plain).decode()}


_ACTIONS = {"TrentService.Encrypt": encrypt, "TrentService.Decrypt": decrypt}


def _key_id(name: str) -> str:
    return name.rpartition("/")[2]


def _context(request: dict[str, Any]) -> bytes:
    context = request.get("EncryptionContext", {})
    if not all(isinstance(value, str) for value in context.values()):
        raise Refused("SerializationException")
    return json.dumps(context, sort_keys=True).encode()


def _check_signature(path: str, headers: dict[str, str], body: bytes) -> None:
    match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if match is None:
        raise Refused("MissingAuthenticationTokenException")
    access_key, region, names, signature = match.groups()
    if access_key != ACCESS_KEY:
        raise Refused("UnrecognizedClientException")
    signed = {name: headers[name] for name in names.split(";")}
    request = AWSRequest("POST", f"http://{headers['host']}{path}", headers=signed, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "kms", region)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    if not hmac.compare_digest(auth.signature(text, request), signature):
        raise Refused("InvalidSignatureException")


def _handler(keys: KeyFile) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                _check_signature(self.path, headers, body)
                action = _ACTIONS.get(headers.get("x-amz-target", ""))
                if action is None:
                    raise Refused("UnknownOperationException")
                self._answer(200, action(keys, json.loads(body)))
            except Refused as error:
                self._answer(400, {"__type": str(error), "message": ""})

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: bodies are secrets."""

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


if __name__ == "__main__":
    port, file = sys.argv[1:]
    ThreadingHTTPServer(("127.0.0.1", int(port)), _handler(KeyFile(Path(file)))).serve_forever()
