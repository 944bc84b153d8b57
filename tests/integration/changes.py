"""Every operation of the API that changes something, and a call of each on something of its own.

A new operation belongs into CHANGES; the suite fails until it stands here, or in ELSEWHERE with the
test that covers it.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.acceptance.matrix_operations import OPENAPI, OPERATIONS, Operation
from tests.integration.wired import Wired

CONTENT = b"what is in it"


@dataclass(frozen=True)
class Asked:
    """What a call sends, and the ids in its path."""

    ids: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    etag: str = '"1"'
    """What the document has before the call."""


@dataclass(frozen=True)
class Change:
    """One operation, ready to be called again with the same key and the same If-Match."""

    operation: Operation
    asked: Asked
    key: str = field(default_factory=lambda: uuid4().hex)

    @property
    def headers(self) -> dict[str, str]:
        """What the operation takes: a key, and the ETag that something new has."""
        given = {
            "Idempotency-Key": self.key,
            "If-Match": self.asked.etag,
            "Content-Type": "text/plain",
        }
        taken = parameters(self.operation)
        if self.asked.content is not None:
            taken |= {"Content-Type"}
        return {name: value for name, value in given.items() if name in taken}

    @property
    def path(self) -> str:
        return self.operation.at(self.asked.ids)


@dataclass(frozen=True)
class Maker:
    """Makes things to change, as the administrator, past all faults."""

    wired: Wired
    client_id: str

    @property
    def documents(self) -> str:
        return f"/v1/clients/{self.client_id}/documents"

    async def document(self, *, content: bool = False, deleted: bool = False) -> dict[str, str]:
        body = {"original_name": "a.txt", "mime_type": "text/plain"}
        document_id = (await self.wired.made(self.documents, body))["id"]
        path = f"{self.documents}/{document_id}"
        if content:
            answer = await self.wired.admin.put(f"{path}/content", content=CONTENT)
            assert answer.status_code == 201, answer.text
        if deleted:
            answer = await self.wired.admin.delete(path, headers={"If-Match": "*"})
            assert answer.status_code == 204, answer.text
        return {"client_id": self.client_id, "document_id": document_id}

    async def upload(self, *, sent: bool = False) -> dict[str, str]:
        ids = await self.document()
        path = f"{self.documents}/{ids['document_id']}/uploads"
        granted = await self.wired.made(path, announced())
        if sent:
            request = granted["upload"]
            answer = await self.wired.outside.put(
                request["url"], headers=request["headers"], content=CONTENT
            )
            assert answer.status_code == 200, answer.text
        return {**ids, "upload_id": granted["upload_id"]}

    async def user(self, *, deleted: bool = False) -> dict[str, str]:
        user = await self.wired.made("/v1/users", {"email": f"{uuid4().hex}@example.org"})
        if deleted:
            assert (await self.wired.admin.delete(f"/v1/users/{user['id']}")).is_success
        return {"user_id": user["id"]}

    async def role(self) -> dict[str, str]:
        body = {"name": f"r{uuid4().hex[:20]}", "permissions": ["client:read"]}
        return {"role_id": (await self.wired.made("/v1/roles", body))["id"]}

    async def client(self, *, deleted: bool = False) -> dict[str, str]:
        client_id = await self.wired.client()
        if deleted:
            assert (await self.wired.admin.delete(f"/v1/clients/{client_id}")).is_success
        return {"client_id": client_id}


def announced() -> dict[str, Any]:
    return {"size": len(CONTENT), "checksum_sha256": hashlib.sha256(CONTENT).hexdigest()}


def _new_document() -> dict[str, Any]:
    return {"original_name": "new.txt", "mime_type": "text/plain", "metadata": {"a": [1]}}


async def _create_document(make: Maker) -> Asked:
    return Asked({"client_id": make.client_id}, _new_document() | announced())


async def _batch(make: Maker) -> Asked:
    operations = [{"operation": "create", **_new_document()} for _ in range(2)]
    return Asked({"client_id": make.client_id}, {"operations": operations})


async def _update_document(make: Maker) -> Asked:
    return Asked(await make.document(), {"original_name": "b.txt", "metadata": {"b": 1}})


async def _delete_document(make: Maker) -> Asked:
    return Asked(await make.document())


async def _of_deleted(make: Maker) -> Asked:
    return Asked(await make.document(content=True, deleted=True))


async def _put_content(make: Maker) -> Asked:
    return Asked(await make.document(), content=b"bytes")


async def _promote(make: Maker) -> Asked:
    return Asked({**await make.document(content=True), "number": "1"}, etag='"2"')


async def _create_upload(make: Maker) -> Asked:
    return Asked(await make.document(), announced())


async def _complete(make: Maker) -> Asked:
    return Asked(await make.upload(sent=True))


async def _abort(make: Maker) -> Asked:
    return Asked(await make.upload())


async def _create_client(make: Maker) -> Asked:
    return Asked(json={"code": f"c-{uuid4().hex}", "name": "c", "metadata": {"a": 1}})


async def _update_client(make: Maker) -> Asked:
    return Asked(await make.client(), {"name": "another"})


async def _delete_client(make: Maker) -> Asked:
    return Asked(await make.client())


async def _restore_client(make: Maker) -> Asked:
    return Asked(await make.client(deleted=True))


async def _create_key(make: Maker) -> Asked:
    return Asked({"client_id": make.client_id}, {"name": "k", "scopes": ["document:read"]})


async def _revoke_key(make: Maker) -> Asked:
    asked = await _create_key(make)
    made = await make.wired.made(f"/v1/clients/{make.client_id}/api-keys", asked.json)
    return Asked({**asked.ids, "key_id": made["id"]})


async def _create_user(make: Maker) -> Asked:
    return Asked(json={"email": f"{uuid4().hex}@example.org", "mobile": None})


async def _update_user(make: Maker) -> Asked:
    return Asked(await make.user(), {"is_active": False})


async def _delete_user(make: Maker) -> Asked:
    return Asked(await make.user())


async def _restore_user(make: Maker) -> Asked:
    return Asked(await make.user(deleted=True))


async def _grant_role(make: Maker) -> Asked:
    return Asked(await make.user(), {"role": "viewer", "client_id": make.client_id})


async def _revoke_role(make: Maker) -> Asked:
    asked = await _grant_role(make)
    held = await make.wired.made(f"/v1/users/{asked.ids['user_id']}/roles", asked.json)
    return Asked({**asked.ids, "grant_id": held["id"]})


async def _create_role(make: Maker) -> Asked:
    return Asked(json={"name": f"r{uuid4().hex[:20]}", "permissions": ["client:read"]})


async def _update_role(make: Maker) -> Asked:
    return Asked(await make.role(), {"description": "other", "permissions": ["document:read"]})


async def _delete_role(make: Maker) -> Asked:
    return Asked(await make.role())


CHANGES: Mapping[str, Callable[[Maker], Awaitable[Asked]]] = {
    "create_document": _create_document,
    "batch_documents": _batch,
    "update_document": _update_document,
    "delete_document": _delete_document,
    "restore_document": _of_deleted,
    "purge_document": _of_deleted,
    "put_content": _put_content,
    "promote_version": _promote,
    "create_upload": _create_upload,
    "complete_upload": _complete,
    "abort_upload": _abort,
    "create_client": _create_client,
    "update_client": _update_client,
    "delete_client": _delete_client,
    "restore_client": _restore_client,
    "create_api_key": _create_key,
    "revoke_api_key": _revoke_key,
    "create_user": _create_user,
    "update_user": _update_user,
    "delete_user": _delete_user,
    "restore_user": _restore_user,
    "create_password_link": _delete_user,
    "grant_role": _grant_role,
    "revoke_role": _revoke_role,
    "create_role": _create_role,
    "update_role": _update_role,
    "delete_role": _delete_role,
}

ELSEWHERE: Mapping[str, str] = {
    # What a person does to their own account: each try spends a login or a code.
    "login": "test_login.py",
    "refresh": "test_sessions.py",
    "logout": "test_sessions.py",
    "redeem_password_link": "test_password_links.py",
    "change_password": "test_sessions.py",
    "enrol_mfa": "test_second_factor.py",
    "confirm_mfa": "test_second_factor.py",
    "remove_mfa": "test_second_factor.py",
}

CHANGING = {one.name: one for one in OPERATIONS if one.method not in {"GET", "HEAD"}}


def parameters(operation: Operation) -> set[str]:
    """Names of what an operation takes besides its body, by the description of the API."""
    described = OPENAPI["paths"][operation.path][operation.method.lower()]
    return {one["name"] for one in described.get("parameters", [])}
