"""The templates of configuration files."""

from __future__ import annotations

import json
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

TEMPLATES = Environment(
    loader=PackageLoader("deploy", "templates"),
    autoescape=False,  # noqa: S701 - configuration files, not HTML; escaping would corrupt them
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_SURROGATES = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")


def _as_yaml(value: Any, indent: int | None = None) -> str:
    """The value as JSON, which is YAML too once characters beyond 16 bits are written whole."""

    def whole(pair: re.Match[str]) -> str:
        high, low = (int(half, 16) for half in pair.groups())
        return f"\\U{0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF):08x}"

    return _SURROGATES.sub(whole, json.dumps(value, indent=indent, sort_keys=True))


TEMPLATES.filters["yaml"] = _as_yaml
