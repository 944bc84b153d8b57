"""What an export and a certificate are made of."""

from pathlib import Path
from uuid import UUID

import pytest

from services.fleet.portability import certificate
from services.fleet.portability.certificate import NotACertificate
from services.fleet.portability.layout import (
    NAMING_BLOBS,
    NAMING_NONE,
    Manifest,
    NotAnExport,
    Part,
    named_blob,
)
from services.keys.material import Purpose
from shards.tables import TENANT_TABLES
from tests.unit.keys import new_key

CLIENT = UUID(int=7)


def manifest(file: str = "tables/documents.jsonl") -> Manifest:
    part = Part("documents", file, ("client_id",), 1, 2, "00")
    return Manifest(
        client={"id": str(CLIENT), "code": "acme"},
        exported_at="2026-11-23T00:00:00.000000Z",
        snapshot_at="2026-11-23T00:00:00.000000Z",
        shard="shard-1",
        epoch=3,
        schema_revision="0009",
        tables=(part,),
        directory=(),
        blobs=0,
        blob_bytes=0,
        audit_seq=0,
        heads=(),
    )


def test_every_table_that_names_objects_says_which() -> None:
    named = {table.name for table in TENANT_TABLES if "s3_key" in table.columns}
    assert named == NAMING_BLOBS.keys() | NAMING_NONE
    for table in TENANT_TABLES:
        column = NAMING_BLOBS.get(table.name)
        assert column is None or {column, "size"} <= set(table.columns.keys())


def test_a_manifest_reads_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(manifest().as_json())
    assert Manifest.read(tmp_path) == manifest()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", manifest("../../etc/passwd").as_json()], ids=str
)
def test_what_is_no_manifest_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(NotAnExport):
        Manifest.read(tmp_path)


def test_an_archive_that_was_only_begun_names_nothing() -> None:
    assert named_blob("audit_archives", {"s3_key": "k", "sha256": None, "size": None}) is None
    assert named_blob("documents", {"s3_key": "k", "checksum_sha256": "\\x00"}) is None
    found = named_blob("audit_archives", {"s3_key": "k", "sha256": "\\xab", "size": 1})
    assert found is not None
    assert found.sha256 == "ab"


@pytest.mark.parametrize("digest", ["ab", "\\x../../../../etc/passwd", "\\xABCD", "\\xabc"])
def test_a_row_names_no_file_outside_of_the_export(digest: str) -> None:
    with pytest.raises(ValueError, match="not bytes in hexadecimal"):
        named_blob("audit_archives", {"s3_key": "k", "sha256": digest, "size": 1})


def test_a_certificate_says_what_was_signed() -> None:
    made = certificate.sign(new_key(Purpose.AUDIT_HEADS), {"b": 1, "a": ["é"]})
    assert certificate.faults(made) == []
    assert certificate.faults(made, bytes.fromhex(made["signature"]["public_key"])) == []
    assert certificate.faults(made, bytes(32))
    assert certificate.faults(made | {"statement": {"b": 2, "a": ["é"]}})
    with pytest.raises(NotACertificate):
        certificate.faults({})
