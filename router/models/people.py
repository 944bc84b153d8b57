"""Users, roles and grants."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from router.models import people_examples as examples
from router.models.fields import Flag, Given, Id, Label, PageQuery, Shown

Email = Annotated[str, Field(min_length=3, max_length=254)]
Mobile = Annotated[str, Field(min_length=5, max_length=32)]
Password = Annotated[str, Field(min_length=1, max_length=1024)]
RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", min_length=2, max_length=63)]
PermissionName = Annotated[str, Field(pattern=r"^[a-z]+:[a-z]+$", max_length=64)]


class UserGiven(Given):
    """A new user. Without a password the first one comes by a one-time link."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.USER_GIVEN]})

    email: Email
    mobile: Mobile | None = None
    password: Password | None = None


class UserPatch(Given):
    """What to change; `mobile` null removes it."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.USER_PATCH]})

    email: Email = ""
    mobile: Mobile | None = None
    is_active: bool = True


class UserShown(Shown):
    """A user."""

    id: UUID
    email: str
    mobile: str | None
    is_active: bool
    mfa: Annotated[bool, Field(description="Whether a second factor is set up.")]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class UserPage(Shown):
    """A page of users."""

    items: list[UserShown]
    next_cursor: str | None


class UserQuery(PageQuery):
    """Which users to list."""

    email: Email | None = Field(default=None, description="Exactly this address.")
    is_active: Flag | None = None
    deleted: Flag = Field(default=False, description="The soft-deleted ones instead.")


class RoleGiven(Given):
    """A new role: a named set of permissions."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ROLE_GIVEN]})

    name: RoleName
    description: Label = "a custom role"
    permissions: list[PermissionName] = Field(min_length=1, max_length=64)


class RolePatch(Given):
    """What to change."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ROLE_PATCH]})

    description: Label | None = None
    permissions: list[PermissionName] | None = Field(default=None, min_length=1, max_length=64)
    mfa_required: bool | None = None


class RoleShown(Shown):
    """A role. Of built-in ones only `mfa_required` can change."""

    id: UUID
    name: str
    description: str
    built_in: bool
    created_at: datetime
    mfa_required: Annotated[
        bool, Field(description="Its holders may do nothing before they have a second factor.")
    ]
    permissions: list[str]


class RoleList(Shown):
    """Every role."""

    items: list[RoleShown]


class PermissionShown(Shown):
    """A permission."""

    name: str
    description: str


class PermissionList(Shown):
    """Every permission."""

    items: list[PermissionShown]


class GrantGiven(Given):
    """A role to give, by its name; without a client it holds on all of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.GRANT_GIVEN]})

    role: RoleName
    client_id: Id | None = None


class HeldRoleShown(Shown):
    """A role that a user holds, on one client or (null) on all."""

    id: UUID
    user_id: UUID
    role: str
    client_id: UUID | None
    granted_by: UUID | None
    created_at: datetime


class HeldRoleList(Shown):
    """What a user holds."""

    items: list[HeldRoleShown]
