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


def without_backups() -> FleetFile:
    """The example, with nothing backed up."""
    return read_fleet_file(EXAMPLE[: EXAMPLE.index("[backups]")])


def signed_stores() -> FleetFile:
    """The example, with authorities of its own for the documents' store and one of the backups',
    which listens on a port of its own."""
    storage = 'region = "eu-central-1"\n\n# Every cluster'
    repository = 'bucket = "example-docshard-backups"\n'
    assert storage in EXAMPLE
    assert repository in EXAMPLE
    text = EXAMPLE.replace(storage, f'authority = "/etc/a/s3.crt"\n{storage}', 1)
    return read_fleet_file(
        text.replace(repository, f'authority = "/etc/b/s3.crt"\nport = 8333\n{repository}', 1)
    )


def read(target: str, file: FleetFile | None = None) -> dict[PurePosixPath, list[Any]]:
    """Each YAML file's documents, by its path below the target's folder."""
    return {
        path.relative_to(target): list(yaml.safe_load_all(text))
        for path, text in TARGETS[target](file or example()).items()
        if path.suffix in (".yaml", ".yml")
    }
