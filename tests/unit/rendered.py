"""What the example fleet file renders to, read back."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from deploy.fleet.file import FleetFile, read_fleet_file
from deploy.rendering.targets import TARGETS

EXAMPLE = (Path(__file__).parents[2] / "deploy" / "fleet.example.toml").read_text()


def example(before: str = "", after: str = "") -> FleetFile:
    """The example, with one text replaced."""
    assert before in EXAMPLE
    return read_fleet_file(EXAMPLE.replace(before, after, 1) if before else EXAMPLE)


def read(target: str, file: FleetFile | None = None) -> dict[PurePosixPath, list[Any]]:
    """Each YAML file's documents, by its path below the target's folder."""
    return {
        path.relative_to(target): list(yaml.safe_load_all(text))
        for path, text in TARGETS[target](file or example()).items()
        if path.suffix in (".yaml", ".yml")
    }
