"""Roles and permissions."""

from collections.abc import Sequence
from uuid import UUID

from docshard_client.call import Call, items_of, json_as, nothing
from docshard_client.models import Permission, Role
from docshard_client.operation import operation
from docshard_client.parameters import once, present


class Roles:
    """Named sets of permissions; for administrators."""

    @operation
    def list_roles(self) -> Call[tuple[Role, ...]]:
        """List all roles, built-in and custom."""
        return Call("GET", "/v1/roles", items_of(Role))

    @operation
    def list_permissions(self) -> Call[tuple[Permission, ...]]:
        """List what roles can be made of."""
        return Call("GET", "/v1/permissions", items_of(Permission))

    @operation
    def create_role(
        self,
        name: str,
        permissions: Sequence[str],
        description: str | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Call[Role]:
        """Create a custom role."""
        body = present(name=name, permissions=list(permissions), description=description)
        headers = once(idempotency_key)
        return Call("POST", "/v1/roles", json_as(Role), body=body, headers=headers)

    @operation
    def get_role(self, role_id: UUID) -> Call[Role]:
        """Read a role."""
        return Call("GET", f"/v1/roles/{role_id}", json_as(Role))

    @operation
    def update_role(
        self,
        role_id: UUID,
        *,
        description: str | None = None,
        permissions: Sequence[str] | None = None,
        mfa_required: bool | None = None,
    ) -> Call[Role]:
        """Change a role; of a built-in one `mfa_required` alone."""
        body = present(
            description=description,
            permissions=None if permissions is None else list(permissions),
            mfa_required=mfa_required,
        )
        return Call("PATCH", f"/v1/roles/{role_id}", json_as(Role), body=body)

    @operation
    def delete_role(self, role_id: UUID) -> Call[None]:
        """Delete a custom role."""
        return Call("DELETE", f"/v1/roles/{role_id}", nothing)
