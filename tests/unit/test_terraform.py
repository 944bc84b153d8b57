"""The Terraform example is read by a parser, and says what its README promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hcl2
import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "terraform"


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


def test_blobs_are_sealed_kept_and_copied(resources: dict[str, dict[str, Any]]) -> None:
    for bucket in ("blobs", "replica"):
        for what in ("versioning", "server_side_encryption_configuration", "public_access_block"):
            assert f"aws_s3_bucket_{what}.{bucket}" in resources
    (rule,) = resources["aws_s3_bucket_replication_configuration.blobs"]["rule"]
    assert rule["status"] == "Enabled"


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
