"""`docshard client export|verify|import|erase`, as an operator types them."""

import json
from pathlib import Path
from uuid import uuid4

import httpx

from deploy.errors import Exit
from tests.acceptance.fleet import LocalFleet
from tests.acceptance.stage import log_of


def test_a_client_leaves_and_is_erased(
    fleet: LocalFleet, admin: httpx.Client, tmp_path: Path
) -> None:
    code, folder = f"leaves-{uuid4().hex[:12]}", tmp_path / "export"
    client_id = admin.post("/v1/clients", json={"code": code, "name": "Leaves"}).json()["id"]
    documents = f"/v1/clients/{client_id}/documents"
    new = {"original_name": "a.txt", "mime_type": "text/plain"}
    document_id = admin.post(documents, json=new).json()["id"]
    content = f"{documents}/{document_id}/content"
    assert admin.put(content, content=b"the content").status_code == 201

    assert "one snapshot" in fleet.run(*_export(code, folder), "--dry-run").stdout
    assert not folder.exists()
    told = json.loads(fleet.run(*_export(code, folder), "--reason", "asked", "-o", "json").stdout)
    assert (told["export"]["client_id"], told["export"]["blobs"]) == (client_id, 1)
    known = ("--public-key", told["export"]["public_key"])
    checked = json.loads(fleet.run("client", "verify", str(folder), *known, "-o", "json").stdout)
    assert (checked["export"]["ok"], checked["export"]["findings"]) == (True, [])
    (blob,) = folder.glob("blobs/*/*")
    assert blob.read_bytes() == b"the content"
    known_here = fleet.run("client", "import", str(folder), check=False)
    assert (known_here.returncode, "already" in known_here.stderr) == (Exit.REFUSED, True)
    blob.write_bytes(b"another one")
    assert fleet.run("client", "verify", str(folder), check=False).returncode == Exit.FINDINGS

    living = fleet.run("client", "erase", code, "--confirm", code, check=False)
    assert (living.returncode, "client delete" in living.stderr) == (Exit.REFUSED, True)
    fleet.run("client", "delete", code, "--confirm", code)
    assert "nothing brings it back" in fleet.run("client", "erase", code, "--dry-run").stdout
    other = fleet.run("client", "erase", code, "--confirm", "another", check=False)
    assert other.returncode == Exit.REFUSED
    # Addresses to upload to may be good for a day: all is removed, and signed later.
    waits = fleet.run("client", "erase", code, "--confirm", code, "--reason", "asked", check=False)
    assert (waits.returncode, "run the same command" in waits.stderr) == (Exit.FINDINGS, True)
    assert fleet.run("client", "restore", client_id, check=False).returncode == Exit.REFUSED
    actions = [(row["action"], row["reason"]) for row in log_of(admin, client_id=client_id)]
    assert actions[:4] == [
        ("client.erase", "asked"),
        ("client.delete", None),
        *[("client.export", "asked")] * 2,
    ]


def _export(code: str, folder: Path) -> tuple[str, ...]:
    return ("client", "export", code, "--into", str(folder))
