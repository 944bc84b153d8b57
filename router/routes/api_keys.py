"""API keys: how machines of a tenant get in."""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response

from router import headers
from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import examples
from router.models.clients import ApiKeyGiven, ApiKeyPage, NewApiKeyShown
from router.models.fields import PageQuery
from router.parameters import ClientId, IdempotencyKey, KeyId
from router.routes.clients import CLIENT
from router.routes.replies import LINK, UNAVAILABLE, linked
from router.security import Administer
from services.access import api_keys as client_keys
from services.access.api_keys import ApiKey, NewApiKey
from services.pages import Page, PageRequest

api = Api("API keys")

API_KEYS: Final = f"{CLIENT}/api-keys"


@api.route(
    "GET",
    API_KEYS,
    Administer("key:edit"),
    Doc(
        (
            Answer(
                200,
                "Keys, newest first.",
                ApiKeyPage,
                examples.page(examples.API_KEY),
                headers=LINK,
            ),
        ),
        refusals=("invalid_cursor",),
    ),
)
async def list_api_keys(
    call: Call, client_id: ClientId, query: Annotated[PageQuery, Query()]
) -> Page[ApiKey]:
    """List a client's keys, newest first, revoked ones too."""
    request = PageRequest(query.limit, query.cursor)
    return linked(call, await client_keys.list_newest(call.resources, call.tenant, request))


@api.route(
    "POST",
    API_KEYS,
    Administer("key:edit"),
    Doc(
        (Answer(201, "The key, shown only now.", NewApiKeyShown, examples.NEW_API_KEY),),
        refusals=(
            *(*UNAVAILABLE, "idempotency_mismatch", "idempotency_in_progress"),
            "secret_already_shown",
        ),
    ),
)
async def create_api_key(
    call: Call, client_id: ClientId, body: ApiKeyGiven, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Make a key. Its secret is shown this once; it can do no more than its maker."""
    new = NewApiKey(body.name, tuple(body.scopes), body.expires_at)
    key = headers.idempotency_key(idempotency_key)
    made = await client_keys.create(call.resources, call.tenant, new, key)
    return {**asdict(made.api_key), "key": made.text}


@api.route(
    "DELETE",
    f"{API_KEYS}/{{key_id}}",
    Administer("key:edit"),
    Doc((Answer(204, "Revoked: refused everywhere within seconds."),), refusals=UNAVAILABLE),
)
async def revoke_api_key(call: Call, client_id: ClientId, key_id: KeyId) -> Response:
    """Revoke a key."""
    await client_keys.revoke(call.resources, call.tenant, key_id)
    return Response(status_code=204)
