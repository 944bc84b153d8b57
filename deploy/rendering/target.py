"""What every target has in common: files by path, and who wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

Files = Mapping[PurePosixPath, str]
"""Texts by the path below the folder that everything is rendered into."""


def header(target: str, fleet: str, comment: str = "#") -> str:
    """The first lines of each file: where a change belongs."""
    return (
        f"{comment} Rendered by `docshard render {target}` for the fleet {fleet}.\n"
        f"{comment} Change the fleet file and render again, not this file.\n"
    )
