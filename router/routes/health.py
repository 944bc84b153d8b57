"""For those who watch the process, not for tenants."""

from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.fleet.readiness import readiness

_JSON: Final = "application/json"


async def healthz(request: Request) -> Response:
    """Answer that the process runs."""
    return Response(b'{"status":"ok"}', media_type=_JSON)


async def readyz(request: Request) -> Response:
    """Answer whether it can serve: 200, or 503 with what is away."""
    found = readiness(request.app.state.edge.resources)
    document = {
        "status": "ready" if found.ready else "unready",
        "directory": found.directory,
        "shards": found.shards,
    }
    return Response(orjson.dumps(document), 200 if found.ready else 503, media_type=_JSON)


ROUTES: Final[list[BaseRoute]] = [Route("/healthz", healthz), Route("/readyz", readyz)]
