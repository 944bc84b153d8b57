"""Getting in, and who one is."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from router.models import identity_examples as examples
from router.models.fields import Given, Shown

Password = Annotated[str, Field(min_length=1, max_length=1024)]
Token = Annotated[str, Field(min_length=1, max_length=128)]
Code = Annotated[str, Field(min_length=1, max_length=64)]


class LoginGiven(Given):
    """Credentials of a person. Of the two codes the one-time code goes first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LOGIN_GIVEN]})

    email: Annotated[str, Field(min_length=3, max_length=254)]
    password: Password
    totp: Annotated[Code | None, Field(description="Of the authenticator app.")] = None
    recovery_code: Annotated[Code | None, Field(description="In its place; works once.")] = None


class LoginShown(Shown):
    """A session's tokens."""

    access_token: str
    token_type: str
    expires_in: Annotated[int, Field(description="Seconds that the access token is good.")]
    refresh_token: Annotated[str, Field(description="Good once: each answer brings the next.")]


class RefreshGiven(Given):
    """The newest refresh token of a session."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REFRESH_GIVEN]})

    refresh_token: Token


class EnrolmentShown(Shown):
    """A secret for an authenticator app; in force once it was confirmed."""

    secret: Annotated[str, Field(description="To type in, base32.")]
    otpauth_uri: Annotated[str, Field(description="To scan.")]


class CodeGiven(Given):
    """A code that the authenticator app shows now."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CODE_GIVEN]})

    totp: Code


class RecoveryCodesShown(Shown):
    """Codes for the loss of the device: shown this once, each works once."""

    recovery_codes: list[str]


class PasswordGiven(Given):
    """The present password and the one to come."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PASSWORD_GIVEN]})

    current_password: Password
    new_password: Password


class LinkShown(Shown):
    """A one-time token that sets a user's password."""

    token: str
    expires_at: datetime


class LinkGiven(Given):
    """A one-time token and the password to set."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LINK_GIVEN]})

    token: Token
    password: Password


class GrantShown(Shown):
    """Permissions inside one client, or everywhere when `client_id` is null."""

    role: str
    client_id: UUID | None
    permissions: list[str]


class PrincipalShown(Shown):
    """Who is calling: limits are counted and audit rows written by this id."""

    kind: Literal["user", "api_key"]
    id: UUID


class SessionShown(Shown):
    """How a person came in."""

    id: UUID
    logged_in_at: datetime
    must_enrol_mfa: Annotated[
        bool,
        Field(description="A role demands a second factor: nothing is granted before it is set."),
    ]


class MeShown(Shown):
    """The caller."""

    principal: PrincipalShown
    user_id: Annotated[UUID, Field(description="The user, or the one who made the key.")]
    api_key_id: UUID | None
    session: Annotated[SessionShown | None, Field(description="Null for an API key.")]
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
