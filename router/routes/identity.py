"""Getting in and out, and who one is."""

from typing import Any, Final

from starlette.responses import Response

from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import identity_examples as examples
from router.models.identity import JwksShown, LoginGiven, LoginShown, MeShown, RefreshGiven
from router.routes.replies import UNAVAILABLE
from router.security import Anyone, Person, Public
from services.access import login as logins
from services.access import sessions
from services.access.login import Credentials
from services.access.sessions import Tokens
from services.fleet.signing_rotation import JWKS_SECONDS
from services.identity.principal import Principal

api = Api("Getting in")

_LET_IN: Final = Answer(200, "Let in.", LoginShown, examples.LOGIN)


@api.route(
    "POST",
    "/v1/auth/login",
    Public(),
    Doc((_LET_IN,), refusals=("invalid_credentials", "mfa_required", *UNAVAILABLE)),
)
async def login(call: Call, body: LoginGiven) -> dict[str, Any]:
    """Log in with e-mail address and password.

    `mfa_required` says that the password is right and a code is needed: send it with the same
    credentials. After repeated failures attempts are refused for a while, right ones as well.
    """
    given = Credentials(body.email, body.password, body.totp, body.recovery_code)
    return _shown(await logins.log_in(call.resources, given, call.origin()))


@api.route(
    "POST",
    "/v1/auth/refresh",
    Public(),
    Doc((_LET_IN,), refusals=("unauthenticated", *UNAVAILABLE)),
)
async def refresh(call: Call, body: RefreshGiven) -> dict[str, Any]:
    """Exchange a refresh token for the next one and a new access token.

    For some seconds a repeated exchange gives the same refresh token again; later use of an old one
    ends the session.
    """
    return _shown(await sessions.refresh(call.resources, body.refresh_token, call.origin()))


@api.route(
    "POST",
    "/v1/auth/logout",
    Person(),
    Doc((Answer(204, "Ended: refused everywhere within seconds."),), refusals=UNAVAILABLE),
)
async def logout(call: Call) -> Response:
    """End the session that the access token belongs to."""
    await sessions.log_out(call.resources, call.own)
    return Response(status_code=204)


@api.route("GET", "/v1/me", Anyone(), Doc((Answer(200, "The caller.", MeShown, examples.ME),)))
async def get_me(call: Call) -> dict[str, Any]:
    """Ask who one is, and what one may do."""
    principal = call.caller.principal
    return {
        "principal": {"kind": "api_key" if principal.api_key_id else "user", "id": principal.id},
        "user_id": principal.user_id,
        "api_key_id": principal.api_key_id,
        "session": _session(principal),
        "grants": [
            {
                "role": grant.role,
                "client_id": grant.client_id,
                "permissions": sorted(grant.permissions),
            }
            for grant in principal.grants
        ],
    }


@api.route(
    "GET",
    "/.well-known/jwks.json",
    Public(),
    Doc((Answer(200, "The keys.", JwksShown, examples.JWKS),)),
)
async def get_jwks(call: Call) -> dict[str, Any]:
    """Fetch the public keys that verify access tokens."""
    call.context.answer_with("Cache-Control", f"public, max-age={JWKS_SECONDS}")
    return call.resources.secrets.access_tokens.jwks()


def _shown(made: Tokens) -> dict[str, Any]:
    return {
        "access_token": made.access_token,
        "token_type": "Bearer",
        "expires_in": made.expires_in,
        "refresh_token": made.refresh_token,
    }


def _session(principal: Principal) -> dict[str, Any] | None:
    session = principal.session
    if session is None:
        return None
    return {
        "id": session.id,
        "logged_in_at": session.logged_in_at,
        "must_enrol_mfa": session.must_enrol,
    }
