"""Every address of the console, with the permission that it needs everywhere."""

from __future__ import annotations

from os import PathLike, stat_result
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from router.console.guard import LOGIN, ConsoleRoute
from router.console.pages import audit, entrance, move, overview, rebalance, replicas, ring, tenants
from router.console.pages.shell import AUDIT, SEE
from router.console.rendering import STATIC
from router.console.visit import OPERATE


class _Static(StaticFiles):
    """Files whose address changes with them."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Browsers keep them."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


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
    Mount("/console/static", _Static(directory=str(STATIC))),
]
