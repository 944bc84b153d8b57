"""The KMS of the tests as a process of its own, to be killed, paused and started again."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.local import ports
from services.key_settings import KmsSettings
from services.keys.aws_kms import AwsKmsProvider
from tests.integration.kms_server import ACCESS_KEY, REGION, SECRET_KEY, KeyFile, arn

_START_SECONDS = 20.0


@dataclass
class Kms:
    """A server with one key."""

    keys: KeyFile
    port: int = field(default_factory=ports.free)
    key_id: str = field(default_factory=lambda: str(uuid4()))
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.keys.put(self.key_id, secrets.token_bytes(32))

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in order to use it."""
        return {
            "DOCSHARD_KEY_PROVIDER": "aws-kms",
            "DOCSHARD_KMS_KEY_ID": arn(self.key_id),
            "DOCSHARD_KMS_REGION": REGION,
            "DOCSHARD_KMS_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }

    def settings(self, key_id: str | None = None) -> KmsSettings:
        """Impatient settings for it."""
        return KmsSettings.model_validate(
            {
                "key_id": arn(key_id or self.key_id),
                "region": REGION,
                "endpoint": f"http://127.0.0.1:{self.port}",
                "connect_timeout_seconds": 0.5,
                "read_timeout_seconds": 0.5,
                "attempts": 1,
            }
        )

    def provider(self, key_id: str | None = None) -> AwsKmsProvider:
        """Our side of it."""
        return AwsKmsProvider(self.settings(key_id))

    def another_key(self) -> str:
        """Make one more key."""
        key_id = str(uuid4())
        self.keys.put(key_id, secrets.token_bytes(32))
        return key_id

    def start(self) -> None:
        """Start it and wait until it listens."""
        command = [sys.executable, "-m", "tests.integration.kms_server", str(self.port)]
        self._process = subprocess.Popen([*command, str(self.keys.path)])
        deadline = time.monotonic() + _START_SECONDS
        while socket.socket().connect_ex(("127.0.0.1", self.port)) != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the KMS of the tests does not start")
            time.sleep(0.03)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def kms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kms]:
    """A KMS of this test's own; this process has the identity that it knows."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    server = Kms(KeyFile(tmp_path / "kms-keys.json"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, server.environment[name])
    server.start()
    try:
        yield server
    finally:
        server.kill()
