"""Answers that are given often, written from the services' values without a model in between.

The framework reads every attribute into a model and then writes the model: for a page that is most
of what a router does. Here the model only says what is told, and orjson writes it. A test holds
both to the same text, so models stay what the API promises.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from operator import attrgetter
from typing import Any, Final

import orjson
from starlette.responses import Response

from router.models.fields import Shown
from services.pages import Page

_OPTIONS: Final = orjson.OPT_UTC_Z
_ADDRESSES: Final = (IPv4Address, IPv6Address)


class Writer:
    """Writes values that have the attributes of `model`, each as it is told, and nothing else."""

    def __init__(self, model: type[Shown]) -> None:
        self._names = tuple(model.model_fields)
        self._values: Callable[[Any], tuple[Any, ...]] = attrgetter(*self._names)

    def one(self, value: object) -> Response:
        """An answer that is one of them."""
        return _written(self._told(value))

    def page(self, page: Page[Any]) -> Response:
        """An answer that is a page of them."""
        return _written({"items": [*map(self._told, page.items)], "next_cursor": page.next_cursor})

    def _told(self, value: object) -> dict[str, Any]:
        return dict(zip(self._names, self._values(value), strict=True))


def _written(told: dict[str, Any]) -> Response:
    body = orjson.dumps(told, default=_as_text, option=_OPTIONS)
    return Response(body, media_type="application/json")


def _as_text(value: object) -> str:
    """What orjson leaves to us."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, _ADDRESSES):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not told in answers")
