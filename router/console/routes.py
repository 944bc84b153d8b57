"""Every address of the console, with the permission that it needs everywhere."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from router.console.guard import LOGIN, ConsoleRoute
from router.console.pages import audit, entrance, move, overview, rebalance, replicas, ring, tenants
from router.console.pages.shell import AUDIT, SEE
from router.console.rendering import STATIC
from router.console.visit import OPERATE

_FILES: Final = {one.name: one for one in STATIC.iterdir() if one.suffix in (".css", ".js", ".svg")}


async def _static(request: Request) -> Response:
    """A style, a script or the icon: for anybody, and kept, since its address changes with it."""
    file = _FILES.get(request.path_params["name"])
    if file is None:
        raise HTTPException(404)
    return FileResponse(file, headers={"Cache-Control": "public, max-age=86400"})


ROUTES: Final[list[BaseRoute]] = [
    ConsoleRoute("GET", LOGIN, None, entrance.show),
    ConsoleRoute("POST", LOGIN, None, entrance.enter),
    ConsoleRoute("POST", "/console/logout", SEE, entrance.leave),
    ConsoleRoute("GET", "/console", SEE, overview.PAGE.show),
    ConsoleRoute("GET", "/console/events/overview", SEE, overview.PAGE.stream),
    ConsoleRoute("GET", "/console/tenants", SEE, tenants.show),
    ConsoleRoute("GET", "/console/rebalance", SEE, rebalance.PAGE.show),
    ConsoleRoute("GET", "/console/events/rebalance", SEE, rebalance.PAGE.stream),
    ConsoleRoute("GET", "/console/rebalance/plan", SEE, rebalance.plan),
    ConsoleRoute("POST", "/console/rebalance/{verb}", OPERATE, rebalance.change),
    ConsoleRoute("GET", "/console/moves/{move_id}", SEE, move.show),
    ConsoleRoute("POST", "/console/moves/{move_id}/{verb}", OPERATE, move.change),
    ConsoleRoute("GET", "/console/ring", SEE, ring.show),
    ConsoleRoute("GET", "/console/replicas", SEE, replicas.PAGE.show),
    ConsoleRoute("GET", "/console/events/replicas", SEE, replicas.PAGE.stream),
    ConsoleRoute("GET", "/console/audit", AUDIT, audit.show),
    ConsoleRoute("GET", "/console/audit/verify", AUDIT, audit.check),
    ConsoleRoute("GET", "/console/audit/export", AUDIT, audit.export),
    Route("/console/static/{name}", _static),
]
