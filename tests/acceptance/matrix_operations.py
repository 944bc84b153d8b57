"""Every operation of the API, what it demands, and a call of it that changes nothing for others.

A new route belongs into RULES: what it is about, which permission it needs, and the status that its
harmless call answers to who may make it. The suite fails until it stands here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.access_model import Reach, Rule

OPENAPI = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())


@dataclass(frozen=True)
class Row:
    """What an operation demands, and its call's answer to who may make it.

    `spends`: a call that passes uses its target up. `body`: of the harmless call, where it has one.
    """

    rule: Rule
    passes: int
    spends: bool = False
    body: bytes = b"{}"


def _tenant(permission: str, passes: int, *, reads: bool = False) -> Row:
    return Row(Rule(Reach.TENANT, permission, reads), passes)


def _client(permission: str, passes: int, *, reads: bool = False, spends: bool = False) -> Row:
    return Row(Rule(Reach.CLIENT, permission, reads), passes, spends)


def _service(permission: str, passes: int, *, reads: bool = False, spends: bool = False) -> Row:
    return Row(Rule(Reach.SERVICE, permission, reads), passes, spends)


def _getting_in(reach: Reach, passes: int) -> Row:
    return Row(Rule(reach), passes)


# 422: the empty object lacks something. 428: If-Match is missing. 409: there is nothing to restore,
# or nothing was uploaded.
RULES: Mapping[str, Row] = {
    "login": _getting_in(Reach.ANYBODY, 422),
    "refresh": _getting_in(Reach.ANYBODY, 422),
    "redeem_password_link": _getting_in(Reach.ANYBODY, 422),
    "get_jwks": _getting_in(Reach.ANYBODY, 200),
    "get_me": _getting_in(Reach.ONESELF, 200),
    "logout": Row(Rule(Reach.PERSON), 204, spends=True),
    "enrol_mfa": _getting_in(Reach.PERSON, 201),
    "confirm_mfa": _getting_in(Reach.PERSON, 422),
    "remove_mfa": _getting_in(Reach.PERSON, 404),
    "change_password": _getting_in(Reach.PERSON, 422),
    "create_password_link": _service("user:edit", 201),
    "list_documents": _tenant("document:read", 200, reads=True),
    "create_document": _tenant("document:write", 422),
    "get_document": _tenant("document:read", 200, reads=True),
    "head_document": _tenant("document:read", 200, reads=True),
    "update_document": _tenant("document:write", 428),
    "delete_document": _tenant("document:delete", 428),
    "restore_document": _tenant("document:delete", 409),
    "purge_document": _tenant("document:purge", 409),
    "promote_version": _tenant("document:write", 428),
    "create_upload": _tenant("document:write", 422),
    "complete_upload": _tenant("document:write", 409),
    "abort_upload": Row(Rule(Reach.TENANT, "document:write"), 204, spends=True),
    "batch_documents": _tenant("document:write", 422),
    "get_content": _tenant("document:read", 307, reads=True),
    "put_content": _tenant("document:write", 201),
    "list_versions": _tenant("document:read", 200, reads=True),
    "get_version": _tenant("document:read", 200, reads=True),
    "get_version_content": _tenant("document:read", 307, reads=True),
    "list_audit_logs": _tenant("audit:read", 200, reads=True),
    "verify_audit_logs": _tenant("audit:read", 200, reads=True),
    "list_changes": _tenant("document:read", 200, reads=True),
    "get_usage_report": _tenant("report:read", 200, reads=True),
    "list_clients": Row(Rule(Reach.OWN_CLIENTS, "client:read", reads=True), 200),
    "create_client": _service("client:edit", 422),
    "get_client": _client("client:read", 200, reads=True),
    "update_client": _client("client:edit", 200),
    "delete_client": _client("client:edit", 204, spends=True),
    "restore_client": Row(Rule(Reach.SERVICE_ON_CLIENT, "client:edit"), 409),
    "get_placement": _client("fleet:read", 200, reads=True),
    "list_api_keys": _client("key:edit", 200, reads=True),
    "create_api_key": _client("key:edit", 422),
    "revoke_api_key": _client("key:edit", 204, spends=True),
    "list_all_audit_logs": _service("audit:read", 200, reads=True),
    "list_users": _service("user:read", 200, reads=True),
    "create_user": _service("user:edit", 422),
    "get_user": _service("user:read", 200, reads=True),
    "update_user": _service("user:edit", 200),
    "delete_user": _service("user:edit", 204, spends=True),
    "restore_user": _service("user:edit", 409),
    "list_user_roles": _service("user:read", 200, reads=True),
    "grant_role": Row(Rule(Reach.SERVICE, "role:edit"), 422, body=b'{"role": "no_such_role"}'),
    "revoke_role": _service("role:edit", 204, spends=True),
    "list_roles": _service("user:read", 200, reads=True),
    "list_permissions": _service("user:read", 200, reads=True),
    "get_role": _service("user:read", 200, reads=True),
    "create_role": _service("role:edit", 422),
    "update_role": _service("role:edit", 200),
    "delete_role": _service("role:edit", 204, spends=True),
}


@dataclass(frozen=True)
class Operation:
    """One operation of the API description."""

    name: str
    method: str
    path: str
    takes: str | None
    """The media type of its body."""

    @property
    def row(self) -> Row:
        """What the contract says of it."""
        return RULES[self.name]

    @property
    def on_client(self) -> bool:
        """Whether its path names a client."""
        return "{client_id}" in self.path

    @property
    def names(self) -> frozenset[str]:
        """The things inside that its path names."""
        found = ("document_id", "key_id", "user_id", "role_id", "grant_id", "number", "upload_id")
        return frozenset(name for name in found if f"{{{name}}}" in self.path)

    def at(self, ids: Mapping[str, Any]) -> str:
        """Its address for these ids."""
        return self.path.format(**ids)

    @property
    def harmless(self) -> bytes | None:
        """A body that who may call gets refused or that changes nothing."""
        return None if self.takes is None else self.row.body


def _media_type(operation: Mapping[str, Any]) -> str | None:
    body = operation.get("requestBody")
    return None if body is None else next(iter(body["content"]))


OPERATIONS = tuple(
    Operation(one["operationId"], method.upper(), path, _media_type(one))
    for path, methods in OPENAPI["paths"].items()
    for method, one in methods.items()
)
KNOWN = tuple(one for one in OPERATIONS if one.name in RULES)
