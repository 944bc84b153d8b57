"""Logging in and out."""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import RedirectResponse, Response

from router.console import cookies, rendering
from router.console.guard import LOGIN, look_again
from router.console.pages.shell import SEE
from router.console.visit import Visit
from router.problems import STATUS
from services.access import sessions
from services.access.login import Credentials, log_in
from services.access.sessions import Tokens
from services.errors import Forbidden, ServiceError

HOME: Final = "/console"
_ENROL: Final = "Your role needs a second factor: set one up by POST /v1/auth/mfa, then come back."
# Where a login may lead to: a page of the console, so that nobody's link leads anywhere else. No
# dot, no empty step and no percent in its path: browsers turn `/..//` and `/%2e%2e/` into others.
_OWN: Final = re.compile(r"/console(?:/[A-Za-z0-9_-]+)*(?:\?[A-Za-z0-9/?&=%._~+:-]*)?", re.ASCII)


async def show(visit: Visit) -> Response:
    """The form."""
    return _form(destination(visit.query_params.get("next", "")))


async def enter(visit: Visit) -> Response:
    """Log in, as POST /v1/auth/login does."""
    fields = await visit.fields()
    following = destination(fields.get("next", ""))
    given = Credentials(
        fields.get("email", ""),
        fields.get("password", ""),
        fields.get("totp") or None,
        fields.get("recovery_code") or None,
    )
    try:
        tokens = await log_in(visit.resources, given, visit.origin())
        await _demand_operator(visit, tokens)
    except ServiceError as error:
        return _form(following, error, email=given.email)
    response = RedirectResponse(following, 303, headers=rendering.HEADERS)
    cookies.give(visit, response, tokens)
    return response


async def leave(visit: Visit) -> Response:
    """Log out: the session ends everywhere."""
    await sessions.log_out(visit.resources, visit.own)
    response = RedirectResponse(LOGIN, 303, headers=rendering.HEADERS)
    visit.renewed = None
    cookies.take(visit, response)
    return response


async def _demand_operator(visit: Visit, tokens: Tokens) -> None:
    """Whoever may see nothing here gets no session either.

    Raises:
        Forbidden.
    """
    visit.bearer = tokens.access_token
    try:
        await look_again(visit, SEE)
    except Forbidden as error:
        await sessions.log_out(visit.resources, visit.own)
        raise Forbidden(_ENROL if visit.own.session.must_enrol else error.detail) from error


def destination(wished: str) -> str:
    """The page of the console that is wished for, else its first. Pure."""
    return wished if _OWN.fullmatch(wished) else HOME


def _form(following: str, error: ServiceError | None = None, email: str = "") -> Response:
    values = {"following": following, "error": error, "email": email}
    return rendering.page("login.html.j2", values, 200 if error is None else STATUS[error.code])
