"""Users."""

from uuid import UUID

from docshard_client.call import Call, items_of, json_as, nothing
from docshard_client.model import Page
from docshard_client.models import HeldRole, User
from docshard_client.operation import operation, paged
from docshard_client.parameters import KEEP, Keep, changed, once, present, query


class People:
    """Users, and what they hold; for administrators."""

    @operation
    def create_user(
        self,
        email: str,
        *,
        mobile: str | None = None,
        password: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[User]:
        """Create a user. Without a password the first one comes by create_password_link."""
        body, headers = (
            present(email=email, mobile=mobile, password=password),
            once(idempotency_key),
        )
        return Call("POST", "/v1/users", json_as(User), body=body, headers=headers)

    @operation
    def get_user(self, user_id: UUID) -> Call[User]:
        """Read a user."""
        return Call("GET", f"/v1/users/{user_id}", json_as(User))

    @operation
    def update_user(
        self,
        user_id: UUID,
        *,
        email: str | None = None,
        mobile: str | Keep | None = KEEP,
        is_active: bool | None = None,
    ) -> Call[User]:
        """Change a user; `mobile` None takes it away. A disabled one is out at once."""
        body = present(email=email, is_active=is_active) | changed(mobile=mobile)
        return Call("PATCH", f"/v1/users/{user_id}", json_as(User), body=body)

    @operation
    def delete_user(self, user_id: UUID) -> Call[None]:
        """Delete a user softly."""
        return Call("DELETE", f"/v1/users/{user_id}", nothing)

    @operation
    def restore_user(self, user_id: UUID) -> Call[User]:
        """Undo delete_user."""
        return Call("POST", f"/v1/users/{user_id}/restore", json_as(User))

    @paged
    def list_users(
        self,
        *,
        email: str | None = None,
        is_active: bool | None = None,
        deleted: bool | None = None,
        limit: int = 200,
    ) -> Call[Page[User]]:
        """List users; with `deleted` the soft-deleted ones instead."""
        params = query(email=email, is_active=is_active, deleted=deleted, limit=limit)
        return Call("GET", "/v1/users", json_as(Page[User]), params=params)

    @operation
    def list_user_roles(self, user_id: UUID) -> Call[tuple[HeldRole, ...]]:
        """List what a user holds."""
        return Call("GET", f"/v1/users/{user_id}/roles", items_of(HeldRole))

    @operation
    def grant_role(self, user_id: UUID, role: str, client_id: UUID | None = None) -> Call[HeldRole]:
        """Give a user a role, on one client or (None) on all."""
        body = present(role=role, client_id=None if client_id is None else str(client_id))
        return Call("POST", f"/v1/users/{user_id}/roles", json_as(HeldRole), body=body)

    @operation
    def revoke_role(self, user_id: UUID, grant_id: UUID) -> Call[None]:
        """Take a role away."""
        return Call("DELETE", f"/v1/users/{user_id}/roles/{grant_id}", nothing)
