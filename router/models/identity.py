"""Getting in, and who one is."""

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from router.models import examples
from router.models.fields import Given, Shown


class LoginGiven(Given):
    """Credentials of a person."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LOGIN_GIVEN]})

    email: Annotated[str, Field(min_length=3, max_length=254)]
    password: Annotated[str, Field(min_length=1, max_length=1024)]


class LoginShown(Shown):
    """A session's access token."""

    access_token: str
    token_type: str
    expires_in: Annotated[int, Field(description="Seconds.")]


class GrantShown(Shown):
    """Permissions inside one client, or everywhere when `client_id` is null."""

    role: str
    client_id: UUID | None
    permissions: list[str]


class MeShown(Shown):
    """The caller."""

    user_id: Annotated[UUID, Field(description="The user, or the one who made the key.")]
    api_key_id: UUID | None
    grants: list[GrantShown]


class Jwk(Shown):
    """A public key (RFC 7517, RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class JwksShown(Shown):
    """The public keys that verify access tokens."""

    keys: list[Jwk]
