"""A router killed between the object store and the commit: nothing is lost, nothing stays (I8)."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import httpx
import psutil
import psycopg
import pytest

from deploy.fleet.environment import parse_environment
from tests.acceptance.api import Tenant, connect, log_in, make_tenant
from tests.acceptance.fleet import LocalFleet, until

CONTENT = b"nearly a version" * 1000


@dataclass(frozen=True)
class Behind:
    """A tenant's shard and bucket, past our own code."""

    fleet: LocalFleet
    tenant: Tenant
    shard: psycopg.Connection[Any]
    s3: Any
    bucket: str

    @contextmanager
    def entered(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction inside the tenant, as its operator."""
        with self.shard.transaction():
            self.shard.execute("SELECT docshard.enter_write(%s, 1)", [self.tenant.id])
            yield self.shard

    def uploads(self) -> list[str]:
        with self.entered() as shard:
            return [row[0] for row in shard.execute("SELECT s3_key FROM docshard.uploads")]

    def blobs(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.tenant.id}/")
        return [one["Key"] for one in found.get("Contents", [])]

    @contextmanager
    def document_locked(self, document: dict[str, Any]) -> Iterator[None]:
        """Nobody can commit a change of the document meanwhile."""
        with self.entered() as shard:
            shard.execute(
                "SELECT FROM docshard.documents WHERE id = %s FOR UPDATE", [document["id"]]
            )
            yield

    def kill_router(self) -> None:
        router = psutil.Process(self.fleet.status()["router"].pid)
        for process in (router, *router.children(recursive=True)):
            process.kill()


@pytest.fixture
def behind(fleet: LocalFleet) -> Iterator[Behind]:
    variables = parse_environment((fleet.home / "service.env").read_text())
    with connect(fleet, log_in(fleet)) as admin:
        for tenant in make_tenant(fleet, admin):
            placement = admin.get(f"/v1/clients/{tenant.id}/placement").json()["shard"]
            address = fleet.status()[f"{placement}-primary"].address
            assert address is not None
            host, port = address.split(":")
            s3 = boto3.client(
                "s3",
                endpoint_url=variables["DOCSHARD_S3_ENDPOINT"],
                region_name=variables.get("DOCSHARD_S3_REGION", "us-east-1"),
                aws_access_key_id=variables["DOCSHARD_S3_ACCESS_KEY"],
                aws_secret_access_key=variables["DOCSHARD_S3_SECRET_KEY"],
            )
            with psycopg.connect(
                host=host,
                port=port,
                dbname="docshard",
                user="docshard_admin",
                password=variables["DOCSHARD_ADMIN_DB_PASSWORD"],
                autocommit=True,
            ) as shard:
                yield Behind(fleet, tenant, shard, s3, variables["DOCSHARD_S3_BUCKET"])


def test_a_blob_without_its_version_is_swept_and_an_upload_is_completed_again(
    behind: Behind,
) -> None:
    tenant, document = behind.tenant, behind.tenant.make_document()
    upload = begun(tenant, document)
    with ThreadPoolExecutor() as threads:
        try:
            put = killed_before_its_commit(behind, document, threads)
        finally:
            behind.fleet.run("start", "router")
        with pytest.raises(httpx.TransportError):
            put.result(timeout=20)
    until(lambda: tenant.http.get(tenant.path(document)).status_code == 200)
    assert tenant.http.get(tenant.path(document)).json()["current_version"] == 0
    assert len(behind.blobs()) == 2
    assert len(behind.uploads()) == 2

    completed = tenant.http.post(f"{tenant.path(document)}/uploads/{upload}/complete")
    assert completed.json()["version_number"] == 1
    assert len(behind.uploads()) == 1

    with behind.entered() as shard:
        shard.execute("UPDATE docshard.uploads SET expires_at = now() - interval '1 second'")
    # A worker sweeps when it starts, and every minute.
    behind.fleet.run("kill", "worker")
    behind.fleet.run("start", "worker")
    until(lambda: behind.uploads() == [], seconds=60)
    assert [key.rsplit("/", 1)[1] for key in behind.blobs()] == [upload]
    report = json.loads(behind.fleet.run("doctor", "--blobs", "-o", "json", check=False).stdout)
    assert [one for one in report["findings"] if one["subject"] == "blobs"] == []


def begun(tenant: Tenant, document: dict[str, Any]) -> str:
    """An upload whose bytes lie in S3 and which nobody has completed."""
    body = {"size": len(CONTENT), "checksum_sha256": hashlib.sha256(CONTENT).hexdigest()}
    upload = tenant.http.post(f"{tenant.path(document)}/uploads", json=body).json()
    request = upload["upload"]
    sent = httpx.put(request["url"], headers=request["headers"], content=CONTENT)
    assert sent.status_code == 200
    return str(upload["upload_id"])


def killed_before_its_commit(
    behind: Behind, document: dict[str, Any], threads: ThreadPoolExecutor
) -> Future[httpx.Response]:
    """Put content; when its blob is there and its version is not, kill the router."""
    go_on = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield CONTENT
        assert go_on.wait(20)
        yield b"the end"

    def put() -> httpx.Response:
        path = f"{behind.tenant.path(document)}/content"
        return behind.tenant.http.put(path, content=chunks())

    outcome = threads.submit(put)
    until(lambda: len(behind.uploads()) == 2)
    with behind.document_locked(document):
        go_on.set()
        until(lambda: len(behind.blobs()) == 2)
        behind.kill_router()
    return outcome
