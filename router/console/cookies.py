"""A login of the console in one cookie: the same tokens that the API gives, out of scripts' reach.

The cookie is the whole state, so any process of any router serves any request. It is HttpOnly,
SameSite=Strict, kept until the browser ends, sent to /console alone, and Secure wherever the page
came over TLS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.access.sessions import Tokens
from services.errors import Unauthenticated

PATH: Final = "/console"
_NAME: Final = "docshard_console"
_LONGEST: Final = 3500
_APART: Final = ":"


@dataclass(frozen=True, slots=True)
class Held:
    """What a browser holds."""

    refresh_token: str = field(repr=False)
    access_token: str = field(repr=False)


def held_by(request: Request) -> Held:
    """What came with the request.

    Raises:
        Unauthenticated: nothing, or nothing of ours.
    """
    text = request.cookies.get(_name(request), "")
    refresh_token, apart, access_token = text.partition(_APART)
    if not apart or len(text) > _LONGEST:
        raise Unauthenticated("Log in first.")
    return Held(refresh_token, access_token)


def give(request: Request, response: Response, tokens: Tokens) -> None:
    """Let the browser hold these tokens."""
    response.set_cookie(
        _name(request),
        f"{tokens.refresh_token}{_APART}{tokens.access_token}",
        path=PATH,
        secure=_tls(request),
        httponly=True,
        samesite="strict",
    )


def take(request: Request, response: Response) -> None:
    """Let the browser hold nothing."""
    response.delete_cookie(
        _name(request), path=PATH, secure=_tls(request), httponly=True, samesite="strict"
    )


def _name(request: Request) -> str:
    """With the prefix a browser takes the cookie over TLS alone."""
    return f"__Secure-{_NAME}" if _tls(request) else _NAME


def _tls(request: Request) -> bool:
    return request.url.scheme == "https"
