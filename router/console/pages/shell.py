"""What every page has around it, and what a live one has besides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from router.console import rendering
from router.console.desk import Desk
from router.console.guard import look_again
from router.console.live import Viewer
from router.console.visit import Visit
from router.protocol import ENDLESS
from services.errors import DirectoryUnavailable, ServiceError

SEE: Final = "fleet:read"
AUDIT: Final = "audit:read"
_PATIENCE_SECONDS: Final = 5.0
"""A stream says so often that it is still there, and asks whether its login is."""


@dataclass(frozen=True, slots=True)
class Link:
    """One page in the navigation."""

    name: str
    title: str
    path: str
    permission: str = SEE


NAVIGATION: Final = (
    Link("overview", "Overview", "/console"),
    Link("tenants", "Tenants", "/console/tenants"),
    Link("rebalance", "Rebalance", "/console/rebalance"),
    Link("ring", "Ring", "/console/ring"),
    Link("replicas", "Replicas and pools", "/console/replicas"),
    Link("audit", "Audit", "/console/audit", AUDIT),
)


def show_page(visit: Visit, name: str, values: Mapping[str, Any]) -> Response:
    """A page whose template has its name. The navigation shows what this person may see."""
    principal = visit.caller.principal
    links = [one for one in NAVIGATION if principal.may(one.permission, None)]
    around = {"links": links, "active": name, "operate": visit.may_operate, "live": None}
    return rendering.page(f"{name}.html.j2", {**around, **values})


@dataclass(frozen=True, slots=True)
class LivePage:
    """A page whose middle part stays fresh; `_NAME.html.j2` is that part.

    `values` makes what the part shows; it is the same for all who may do the same.
    """

    name: str
    values: Callable[[Desk], Awaitable[Mapping[str, Any]]]

    async def show(self, visit: Visit) -> Response:
        """The whole page."""
        values = await self.values(visit.desk)
        told = visit.query_params.get("told", "")
        return show_page(visit, self.name, {**values, "live": self.name, "told": told})

    async def stream(self, visit: Visit) -> Response:
        """Its middle part, again and again."""
        operate = visit.may_operate

        async def make() -> str:
            values = await self.values(visit.desk)
            return rendering.text(f"_{self.name}.html.j2", {**values, "operate": operate})

        visit.scope[ENDLESS] = True
        return StreamingResponse(
            _events(visit, f"{self.name} {operate}", make),
            media_type=rendering.EVENTS,
            headers={**rendering.HEADERS, "X-Accel-Buffering": "no"},
        )


async def _events(
    visit: Visit, channel: str, make: Callable[[], Awaitable[str]]
) -> AsyncIterator[bytes]:
    try:
        async with visit.desk.live.viewer(channel, make) as viewer:
            async for event in _while_in(visit, viewer):
                yield event
    except ServiceError as error:
        yield rendering.last_event("_fault.html.j2", {"detail": error.detail})


async def _while_in(visit: Visit, viewer: Viewer) -> AsyncIterator[bytes]:
    """Events for as long as the login lasts.

    The minutes of an access token end before its login does, and headers have been sent. So the
    stream just ends: the browser comes again, with what it may do now, or is told by the guard.
    """
    yield b"retry: 2000\n\n"
    operate = visit.may_operate
    while True:
        html = await viewer.next(_PATIENCE_SECONDS)
        try:
            await look_again(visit, SEE)
        except DirectoryUnavailable:
            pass  # who was in stays in for as long as the API itself would trust them
        except ServiceError:
            return
        if visit.may_operate != operate:
            return
        yield b": still here\n\n" if html is None else rendering.event("update", html)
