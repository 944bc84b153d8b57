"""The templates of configuration files."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

TEMPLATES = Environment(
    loader=PackageLoader("deploy", "templates"),
    autoescape=False,  # noqa: S701 - configuration files, not HTML; escaping would corrupt them
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
