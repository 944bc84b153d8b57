"""Small HTTP requests to servers of the local fleet, past any proxy of the caller's."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from deploy.fleet.model import Address

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Unreachable(Exception):
    """Nothing answered in time."""


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    text: str


@dataclass(frozen=True)
class Order:
    """A wish to change something."""

    method: str
    path: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Basic:
    """A name and a password."""

    name: str
    password: str

    def header(self) -> str:
        """The value of Authorization."""
        return "Basic " + base64.b64encode(f"{self.name}:{self.password}".encode()).decode()


def get(address: Address, path: str, seconds: float = 2.0) -> Answer:
    """Ask.

    Raises:
        Unreachable.
    """
    return _send(urllib.request.Request(f"http://{address.text}{path}"), seconds)


def send(address: Address, order: Order, who: Basic | None, seconds: float) -> Answer:
    """Change something; `who` is None where nobody is asked for a password.

    Raises:
        Unreachable: whether it was changed is unknown.
    """
    headers = {"Authorization": who.header()} if who else {}
    request = urllib.request.Request(
        f"http://{address.text}{order.path}",
        data=json.dumps(order.body).encode(),
        headers={"Content-Type": "application/json", **headers},
        method=order.method,
    )
    return _send(request, seconds)


def _send(request: urllib.request.Request, seconds: float) -> Answer:
    try:
        with _direct.open(request, timeout=seconds) as answer:
            return Answer(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(errors="replace"))
    except (OSError, HTTPException) as error:
        raise Unreachable(str(error)) from error
