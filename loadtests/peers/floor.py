"""What the two floors share: everything but the driver."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import orjson
import uuid_utils.compat as uuid_utils
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Lifespan

from loadtests.peers.statements import USER

Row = Mapping[str, Any]
DOCUMENTS: Final = "/v1/clients/{client_id}/documents"
_MOST: Final = 200


class Store(Protocol):
    """The database, by one driver or the other."""

    async def document(self, client_id: UUID, document_id: UUID) -> Row | None:
        """One living document."""

    async def newest(self, client_id: UUID, most: int) -> Sequence[Row]:
        """The newest living documents."""

    async def create(self, values: Row) -> datetime:
        """Insert a document and its audit row; when that was."""


def json_value(value: Any) -> Any:
    """What orjson leaves to us: bytes are told as hexadecimal digits."""
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value))


def _answer(value: Any, status: int = 200) -> Response:
    body = orjson.dumps(value, default=json_value, option=orjson.OPT_UTC_Z)
    return Response(body, status, media_type="application/json")


def make_app(store: Store, lifespan: Lifespan[Starlette]) -> Starlette:
    """The application; `lifespan` opens the store."""

    async def get_document(request: Request) -> Response:
        path = request.path_params
        row = await store.document(UUID(path["client_id"]), UUID(path["document_id"]))
        return Response(status_code=404) if row is None else _answer(row)

    async def list_documents(request: Request) -> Response:
        limit = min(int(request.query_params.get("limit", 50)), _MOST)
        rows = await store.newest(UUID(request.path_params["client_id"]), limit + 1)
        page = list(rows[:limit])
        following = None
        if len(rows) > limit:
            following = f"{page[-1]['created_at'].isoformat()},{page[-1]['id']}"
        return _answer({"items": page, "next_cursor": following})

    async def create_document(request: Request) -> Response:
        new = _document(UUID(request.path_params["client_id"]), orjson.loads(await request.body()))
        changes = {"before": None, "after": _image(new)}
        values = {
            **new,
            "metadata": orjson.dumps(new["metadata"]).decode(),
            "user_id": new["created_by"],
            "audit_id": uuid_utils.uuid7(),
            "changes": orjson.dumps(changes).decode(),
            "ip_address": request.client.host if request.client else None,
            "request_id": str(new["id"]),
        }
        made_at = await store.create(values)
        return _answer({**new, "created_at": made_at, "updated_at": made_at}, 201)

    return Starlette(
        routes=[
            Route(f"{DOCUMENTS}/{{document_id}}", get_document),
            Route(DOCUMENTS, list_documents, methods=["GET"]),
            Route(DOCUMENTS, create_document, methods=["POST"]),
        ],
        lifespan=lifespan,
    )


def _document(client_id: UUID, given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": uuid_utils.uuid7(),
        "client_id": client_id,
        "original_name": given["original_name"],
        "mime_type": given["mime_type"],
        "current_version": 0,
        "size": None,
        "checksum_sha256": None,
        "metadata": given.get("metadata", {}),
        "created_at": None,
        "created_by": UUID(USER),
        "updated_at": None,
        "deleted_at": None,
        "legal_hold": False,
        "retain_until": None,
    }


_LOGGED: Final = (
    *("original_name", "mime_type", "current_version", "size", "checksum_sha256", "metadata"),
    *("legal_hold", "retain_until", "deleted_at"),
)


def _image(document: Row) -> Row:
    return {name: document[name] for name in _LOGGED}
