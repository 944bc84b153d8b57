"""Getting in, and who one is."""

from typing import Any

from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import examples
from router.models.identity import JwksShown, LoginGiven, LoginShown, MeShown
from router.security import Anyone, Public
from services.access.authentication import Login, log_in

api = Api("Getting in")


@api.route(
    "POST",
    "/v1/auth/login",
    Public(),
    Doc(
        (Answer(200, "Let in.", LoginShown, examples.LOGIN),),
        refusals=("invalid_credentials", "outcome_unknown", "busy"),
    ),
)
async def login(call: Call, body: LoginGiven) -> dict[str, Any]:
    """Log in with e-mail address and password."""
    made: Login = await log_in(call.resources, body.email, body.password, call.origin())
    return {
        "access_token": made.access_token,
        "token_type": "Bearer",
        "expires_in": made.expires_in,
    }


@api.route("GET", "/v1/me", Anyone(), Doc((Answer(200, "The caller.", MeShown, examples.ME),)))
async def get_me(call: Call) -> dict[str, Any]:
    """Ask who one is, and what one may do."""
    principal = call.caller.principal
    return {
        "user_id": principal.user_id,
        "api_key_id": principal.api_key_id,
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
    call.context.answer_with("Cache-Control", "public, max-age=60")
    return call.resources.secrets.access_tokens.jwks()
