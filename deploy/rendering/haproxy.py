"""HAProxy before the routers: whichever can serve gets requests, none that is leaving."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath

from deploy.fleet.file import FleetFile
from deploy.fleet.templates import TEMPLATES
from deploy.rendering.target import Files, header

TARGET = "haproxy"
FOLDER = PurePosixPath("/etc/haproxy/docshard")
"""Where its own answers are to stand."""

_LOST = ("outcome_unknown", "It is not known whether the change was made", "The router went away.")
_NOBODY = ("overloaded", "The service is overloaded", "No router takes requests now.")
# What HAProxy says by itself is a page for people, under a status that no caller sends again by. A
# router would have said 503 and what to do; so does this.
_ANSWERS: Mapping[int, tuple[str, str, str]] = {502: _LOST, 503: _NOBODY, 504: _LOST}


def render(file: FleetFile) -> Files:
    """haproxy/haproxy.cfg, and haproxy/<status>.http for what HAProxy answers by itself."""
    text = TEMPLATES.get_template("haproxy.cfg.j2").render(
        routers=file.model.routers, haproxy=file.haproxy, folder=FOLDER, statuses=sorted(_ANSWERS)
    )
    configuration = header(TARGET, file.fleet.name) + text
    return {PurePosixPath(TARGET, "haproxy.cfg"): configuration} | {
        PurePosixPath(TARGET, f"{status}.http"): _answer(*told) for status, told in _ANSWERS.items()
    }


def _answer(code: str, title: str, detail: str) -> str:
    """A whole answer, as the API's problems are."""
    body = json.dumps(
        {
            "type": f"/docs/errors#{code}",
            "title": title,
            "status": 503,
            "detail": detail,
            "code": code,
            "errors": [],
        }
    )
    lines = (
        "HTTP/1.1 503 Service Unavailable",
        "Content-Type: application/problem+json",
        "Cache-Control: no-store",
        "Retry-After: 1",
        f"Content-Length: {len(body)}",
    )
    return "\n".join([*lines, "", body])
