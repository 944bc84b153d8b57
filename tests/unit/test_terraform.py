"""The Terraform example is read by a parser, and says what its README promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hcl2
import pytest

from deploy.fleet.postgres import shared_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "terraform"
# What AWS asks for each call; buckets are made, and set, by Terraform (`bucket_setup` by others).
RIGHTS = {
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "complete_multipart_upload": "s3:PutObject",
    "create_bucket": None,
    "create_multipart_upload": "s3:PutObject",
    "delete_object": "s3:DeleteObject",
    "delete_objects": "s3:DeleteObjectVersion",
    "get_object": "s3:GetObject",
    "head_bucket": "s3:ListBucket",
    "head_object": "s3:GetObject",
    "list_multipart_uploads": "s3:ListBucketMultipartUploads",
    "list_object_versions": "s3:ListBucketVersions",
    "list_objects_v2": "s3:ListBucket",
    "list_parts": "s3:ListMultipartUploadParts",
    "put_object": "s3:PutObject",
    "upload_part": "s3:PutObject",
}


def bare(value: Any) -> Any:
    """Without the quotes that the parser leaves around texts."""
    if isinstance(value, dict):
        return {bare(key): bare(one) for key, one in value.items()}
    if isinstance(value, list):
        return [bare(one) for one in value]
    return value.strip('"') if isinstance(value, str) else value


@pytest.fixture(scope="module")
def resources() -> dict[str, dict[str, Any]]:
    """Each resource by its address."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.tf")):
        with path.open() as file:
            for block in bare(hcl2.load(file)).get("resource", []):
                for kind, named in block.items():
                    for name, body in named.items():
                        assert f"{kind}.{name}" not in found
                        found[f"{kind}.{name}"] = body
    return found


def test_databases_stand_twice_and_are_sealed(resources: dict[str, dict[str, Any]]) -> None:
    database = resources["aws_db_instance.cluster"]
    assert database["multi_az"] is True
    assert database["storage_encrypted"] is True
    assert "aws_kms_key.databases" in database["kms_key_id"]
    assert database["publicly_accessible"] is False
    assert database["deletion_protection"] is True
    assert "password" not in database


def test_servers_are_set_as_ours_are() -> None:
    with (FOLDER / "databases.tf").open() as file:
        (said,) = bare(hcl2.load(file))["locals"]
    ours = shared_settings() | {"max_slot_wal_keep_size": "4096"}
    assert shared_settings()["max_slot_wal_keep_size"] == "4GB"
    told = said["at_start"] | said["at_once"]
    own = {name: value for name, value in told.items() if not name.startswith("rds.")}
    assert own == {name: ours[name] for name in own}


def test_blobs_are_sealed_kept_and_copied(resources: dict[str, dict[str, Any]]) -> None:
    for bucket in ("blobs", "replica"):
        for what in ("versioning", "server_side_encryption_configuration", "public_access_block"):
            assert f"aws_s3_bucket_{what}.{bucket}" in resources
    (rule,) = resources["aws_s3_bucket_replication_configuration.blobs"]["rule"]
    assert rule["status"] == "Enabled"


def test_whatever_is_called_is_allowed() -> None:
    source = "".join(path.read_text() for path in (ROOT / "services" / "blobs").glob("*.py"))
    called = set(re.findall(r"\bclient\.([a-z0-9]+_[a-z0-9_]+)", source))
    assert called - {"generate_presigned_url"} == set(RIGHTS)
    allowed = set(re.findall(r'"(s3:\w+)"', (FOLDER / "access.tf").read_text()))
    assert set(filter(None, RIGHTS.values())) - allowed == set()


def test_what_is_referred_to_is_declared(resources: dict[str, dict[str, Any]]) -> None:
    text = "\n".join(path.read_text() for path in FOLDER.glob("*.tf"))
    referred = set(re.findall(r"(?<!data\.)\b(aws_[a-z0-9_]+\.[a-z_]+)", text))
    assert referred - set(resources) == set()
    variables = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert set(re.findall(r"\bvar\.(\w+)", text)) == variables
    data = {".".join(one) for one in re.findall(r'^data "(\w+)" "(\w+)"', text, re.MULTILINE)}
    assert set(re.findall(r"\bdata\.(aws_\w+\.\w+)", text)) == data


def test_no_secret_stands_in_it() -> None:
    text = "".join(path.read_text() for path in FOLDER.glob("*.tf"))
    assert not re.search(r'password\s*=\s*"|AKIA|BEGIN', text)
