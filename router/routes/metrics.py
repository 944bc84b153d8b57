"""Figures of all workers of this router, for who collects them: to everybody else, nothing."""

import hmac
from ipaddress import ip_address
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.errors import NotFound
from services.exposition.family import CONTENT_TYPE, text
from services.metrics_settings import MetricsSettings

_PROXIED: Final = ("x-forwarded-for", "forwarded", "via")


def may_read(settings: MetricsSettings, request: Request) -> bool:
    """Whether the request comes from who collects figures.

    Behind a proxy on this very host every caller comes from loopback: what was handed on is never
    taken for a neighbour's.
    """
    if settings.token is not None:
        bearer = f"Bearer {settings.token.get_secret_value()}"
        if hmac.compare_digest(request.headers.get("authorization", "").encode(), bearer.encode()):
            return True
    if request.client is None or any(name in request.headers for name in _PROXIED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    return any(address in network for network in settings.networks)


async def show(request: Request) -> Response:
    """Answer with every figure.

    Raises:
        NotFound: they are not for this caller.
    """
    edge = request.app.state.edge
    if not may_read(edge.resources.settings.metrics, request):
        raise NotFound("There is nothing at this address.")
    return Response(text(edge.page.families()), media_type=CONTENT_TYPE)


ROUTES: Final[list[BaseRoute]] = [Route("/metrics", show)]
