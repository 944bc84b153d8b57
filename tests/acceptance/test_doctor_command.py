"""`docshard doctor --deep` on the local fleet: what it proves, shows and ends with."""

import json

import httpx

from deploy.errors import Exit
from tests.acceptance.api import make_tenant
from tests.acceptance.fleet import LocalFleet


def test_a_client_of_the_local_fleet_is_proven(fleet: LocalFleet, admin: httpx.Client) -> None:
    body = {"original_name": "a.txt", "mime_type": "text/plain"}
    for tenant in make_tenant(fleet, admin):
        document = tenant.http.post(tenant.documents, json=body).json()["id"]
        stored = tenant.http.put(f"{tenant.documents}/{document}/content", content=b"content")
        assert stored.is_success, stored.text
        command = ("doctor", "--deep", "--client", tenant.id, "--read-blobs", "-o", "json")
        shown = json.loads(fleet.run(*command).stdout)["invariants"]
        assert shown["findings"] == []
        figures = {"tenants": 1, "documents": 1, "versions": 1, "blobs": 1, "bytes_read": 7}
        assert shown["looked_at"] | figures == shown["looked_at"]
        assert fleet.run("doctor", "--client", tenant.id, check=False).returncode == Exit.USAGE
        unknown = fleet.run("doctor", "--deep", "--shard", "shard-99", check=False)
        assert unknown.returncode == Exit.NOT_FOUND
