"""Clients: tenants as administrators and operators see them."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from router import headers, json_body
from router.answers import Answer
from router.api import STALENESS, Api, Doc
from router.call import Call
from router.models import examples
from router.models.clients import (
    ClientGiven,
    ClientPage,
    ClientPatch,
    ClientQuery,
    ClientShown,
    PlacementShown,
)
from router.parameters import ClientId, IdempotencyKey
from router.routes.replies import LINK, LOCATION, UNAVAILABLE, linked
from router.security import Administer, Everywhere, EverywhereOn, Own
from services.administration import client_changes, clients
from services.administration.clients import Client, ClientFilter, NewClient, PlacementView
from services.errors import InvalidJson, InvalidRequest
from services.pages import Page, PageRequest

api = Api("Clients")

CLIENTS: Final = "/v1/clients"
CLIENT: Final = f"{CLIENTS}/{{client_id}}"


@api.route(
    "GET",
    CLIENTS,
    Own("client:read", reading=(STALENESS,)),
    Doc(
        (
            Answer(
                200,
                "Clients, newest first.",
                ClientPage,
                examples.page(examples.CLIENT),
                headers=LINK,
            ),
        ),
        refusals=("invalid_cursor",),
    ),
)
async def list_clients(call: Call, query: Annotated[ClientQuery, Query()]) -> Page[Client]:
    """List the clients that the caller may see, newest first."""
    wanted = ClientFilter(
        status=query.status.value if query.status else None,
        code=query.code,
        metadata=None if query.metadata is None else containment(query.metadata),
    )
    request = PageRequest(query.limit, query.cursor)
    return linked(call, await clients.list_newest(call.resources, call.everywhere, wanted, request))


def containment(text: str) -> dict[str, object]:
    """Parse the query parameter `metadata`: a JSON object.

    Raises:
        InvalidRequest.
    """
    try:
        value = json_body.parse(text.encode("utf-8", "replace"))
    except (InvalidJson, InvalidRequest) as error:
        raise InvalidRequest.at("?metadata", error.detail) from error
    if not isinstance(value, dict):
        raise InvalidRequest.at("?metadata", "Must be a JSON object.")
    return value


@api.route(
    "POST",
    CLIENTS,
    Everywhere("client:edit"),
    Doc(
        (Answer(201, "The new client.", ClientShown, examples.CLIENT, headers=LOCATION),),
        refusals=(
            *(*UNAVAILABLE, "code_taken", "idempotency_mismatch", "idempotency_in_progress"),
            *("shard_unavailable", "shard_behind"),
        ),
    ),
)
async def create_client(
    call: Call, body: ClientGiven, idempotency_key: IdempotencyKey = None
) -> Client:
    """Admit a tenant; the ring chooses its shard."""
    new = NewClient(body.code, body.name, body.metadata, body.managed_by)
    key = headers.idempotency_key(idempotency_key)
    client = await clients.create(call.resources.data, call.everywhere, new, key)
    call.context.answer_with("Location", f"{CLIENTS}/{client.id}")
    return client


@api.route(
    "GET",
    CLIENT,
    Administer("client:read"),
    Doc((Answer(200, "The client.", ClientShown, examples.CLIENT),)),
)
async def get_client(call: Call, client_id: ClientId) -> Client:
    """Read a client."""
    return await clients.get(call.resources, call.tenant)


@api.route(
    "PATCH",
    CLIENT,
    Administer("client:edit"),
    Doc(
        (Answer(200, "As it is now.", ClientShown, examples.CLIENT),),
        refusals=(*UNAVAILABLE, "code_taken"),
    ),
)
async def update_client(call: Call, client_id: ClientId, body: ClientPatch) -> Client:
    """Change a client. `metadata` is merged as RFC 7396 says: null removes a member."""
    given = body.model_fields_set
    patch = client_changes.ClientPatch(
        code=body.code if "code" in given else None,
        name=body.name if "name" in given else None,
        metadata=body.metadata if "metadata" in given else None,
        status=body.status.value if "status" in given else None,
        managed_by=body.managed_by if "managed_by" in given else client_changes.UNCHANGED,
    )
    return await client_changes.update(call.resources.data, call.tenant, patch)


@api.route(
    "DELETE",
    CLIENT,
    Administer("client:edit"),
    Doc((Answer(204, "Deleted softly."),), refusals=UNAVAILABLE),
)
async def delete_client(call: Call, client_id: ClientId) -> Response:
    """Delete a client softly: gone for its users and keys, its data stays."""
    await client_changes.delete(call.resources.data, call.tenant)
    return Response(status_code=204)


@api.route(
    "POST",
    f"{CLIENT}/restore",
    EverywhereOn("client:edit"),
    Doc(
        (Answer(200, "Living again.", ClientShown, examples.CLIENT),),
        refusals=(*UNAVAILABLE, "not_found", "conflict", "code_taken"),
    ),
)
async def restore_client(call: Call, client_id: ClientId) -> Client:
    """Undo a soft delete."""
    return await client_changes.restore(call.resources.data, call.everywhere, client_id)


@api.route(
    "GET",
    f"{CLIENT}/placement",
    Administer("fleet:read"),
    Doc(
        (Answer(200, "Its home.", PlacementShown, examples.PLACEMENT),),
        refusals=("shard_unavailable",),
    ),
)
async def get_placement(call: Call, client_id: ClientId) -> PlacementView:
    """Ask where a client lives; for operators."""
    return await clients.placement(call.resources, call.tenant)
