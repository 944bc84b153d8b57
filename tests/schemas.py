"""Schemas of who reads rendered files; tests/schemas/README.md says where they are from."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

_FOLDER = Path(__file__).parent / "schemas"


def faults(name: str, document: Any, kind: str | None = None) -> list[str]:
    """What this schema, or the part of it for a kind, has against the document."""
    return [
        f"{'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in _validator(name, kind).iter_errors(document)
    ]


@cache
def _validator(name: str, kind: str | None) -> jsonschema_rs.Validator:
    schema = json.loads((_FOLDER / f"{name}.json").read_text())
    if kind is None:
        return jsonschema_rs.validator_for(schema)
    kinds = schema.pop("kinds")
    assert kind in kinds, f"{name} knows no {kind}"
    return jsonschema_rs.validator_for({**schema, "$ref": kinds[kind]})
