"""The committed description of the API is the app's own, and whole."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.app import all_routes
from router.openapi import render

COMMITTED = Path(__file__).parents[2] / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(render())
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation
    for path in DOCUMENT["paths"].values()
    for operation in path.values()
}


# Public calls that are refused without what proves who is calling.
PROVING = {"login", "refresh", "redeem_password_link"}


def test_the_committed_file_is_current() -> None:
    assert COMMITTED.read_bytes() == render(), "run: make api"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_and_every_error_has_an_example(name: str) -> None:
    operation = OPERATIONS[name]
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            if "json" in media_type:
                assert content.get("example") or content.get("examples"), (name, status)
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        if "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        assert content.get("example") or schema.get("examples"), (name, media_type)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_who_may_call_it(name: str) -> None:
    operation = OPERATIONS[name]
    public = operation["x-permission"] == "<public>"
    assert operation["security"] == ([] if public else [{"bearer": []}])
    assert public == ("401" not in operation["responses"]) or name in PROVING


def test_what_is_public_is_a_short_list() -> None:
    public = {name for name, one in OPERATIONS.items() if one["x-permission"] == "<public>"}
    assert public == {*PROVING, "get_jwks"}


def test_all_references_resolve() -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    for reference in references(DOCUMENT):
        target: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_routes_are_told_apart_by_method_and_address() -> None:
    seen = [(route.path, *route.methods) for route in all_routes()]  # type: ignore[attr-defined]  # all are Routes
    assert len(seen) == len(set(seen))
