"""Who may see a page or push a button: default deny, as a type.

A `ConsoleRoute` is made with the permission that it needs everywhere, and its page is only asked
once the guard has attached the access. The same identities, permissions and audit rows as the
API's; besides, a request that changes something must come from a page of ours.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from router.console import cookies, rendering
from router.console.origin import demand_own_page
from router.console.visit import Visit
from router.limits import refuse
from router.problems import STATUS, problem_response
from services.access import sessions
from services.access.admission import admit_globally, admit_to_own_account
from services.access.authentication import authenticate
from services.errors import Forbidden, NotFound, ServiceError, Unauthenticated
from services.identity.principal import Caller

Show = Callable[[Visit], Awaitable[Response]]

LOGIN: Final = "/console/login"
_READS: Final = frozenset({"GET", "HEAD"})


class ConsoleRoute(Route):
    """A page or an action; nobody comes to it without `permission` on everything.

    `permission` None: for anybody, to get in.
    """

    def __init__(self, method: str, path: str, permission: str | None, show: Show) -> None:
        self.permission = permission
        self._show = show
        super().__init__(path, self._handle, methods=[method])

    async def _handle(self, request: Request) -> Response:
        visit = Visit(request.scope, request.receive, request.app.state.edge.json_limits)
        visit.scope["route"] = self
        if not visit.desk.open:
            return problem_response(visit.scope, NotFound("There is nothing at this address."))
        try:
            response = await self._answer(visit)
        except Unauthenticated:
            visit.renewed = None
            response = _to_login(visit)
        except ServiceError as error:
            response = _refused(visit, error)
        if visit.renewed is not None:
            cookies.give(visit, response, visit.renewed)
        return response

    async def _answer(self, visit: Visit) -> Response:
        if visit.method not in _READS:
            demand_own_page(visit.headers)
        if self.permission is not None:
            await _admit(visit, self.permission)
        visit.demand_storable_address()
        return await self._show(visit)


async def _admit(visit: Visit, permission: str) -> None:
    held = cookies.held_by(visit)
    visit.bearer = held.access_token
    try:
        await look_again(visit, permission)
    except Unauthenticated:
        # Its minutes are over, or the session is; the refresh token knows.
        visit.renewed = await sessions.refresh(visit.resources, held.refresh_token, visit.origin())
        visit.bearer = visit.renewed.access_token
        await look_again(visit, permission)
    share = visit.edge.principals.take(visit.caller.principal.id, time.monotonic())
    if share.remaining < 0:
        raise refuse(share)


async def look_again(visit: Visit, permission: str) -> None:
    """Attach who comes and what they may, as it is now.

    Raises:
        Unauthenticated: the session has ended, or the login is too old for the console.
        Forbidden: they may not.
    """
    principal = await authenticate(visit.resources, visit.bearer)
    visit.caller = Caller(principal, visit.origin())
    visit.own = admit_to_own_account(visit.caller)
    if time.monotonic() - visit.own.session.login_clock > visit.desk.settings.session_hours * 3600:
        await sessions.log_out(visit.resources, visit.own)
        raise Unauthenticated("The login is too old: log in again.")
    try:
        visit.everywhere = admit_globally(visit.caller, permission)
    except Forbidden as error:
        visit.note_denial(permission, error.code)
        raise


def _to_login(visit: Visit) -> Response:
    if visit.headers.get("accept") == rendering.EVENTS:
        # A live page, which would not follow: it says so itself.
        ended = rendering.last_event("_ended.html.j2", {})
        return Response(ended, media_type=rendering.EVENTS, headers=rendering.HEADERS)
    query = f"?{urlencode({'next': _address(visit)})}" if visit.method in _READS else ""
    response = RedirectResponse(f"{LOGIN}{query}", 303, headers=rendering.HEADERS)
    cookies.take(visit, response)
    return response


def _address(visit: Visit) -> str:
    return visit.url.path + (f"?{visit.url.query}" if visit.url.query else "")


def _refused(visit: Visit, error: ServiceError) -> Response:
    status = STATUS[error.code]
    values = {"error": error, "status": status, "request_id": visit.context.request_id}
    return rendering.page("error.html.j2", values, status)
