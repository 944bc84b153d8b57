"""The SDK and the API's description agree: models, operations, parameters."""

import inspect
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import docshard_client
from docshard_client import AsyncDocshard, Docshard, Document, Login, models
from docshard_client.generate import MODELS, render
from docshard_client.model import SECRETS
from docshard_client.operation import Method, Pages
from docshard_client.operations import Operations

DESCRIPTION: dict[str, Any] = json.loads((Path(__file__).parents[2] / "openapi.json").read_bytes())
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation
    for path in DESCRIPTION["paths"].values()
    for operation in path.values()
}
DECLARED: dict[str, Method[..., Any] | Pages[..., Any]] = {
    name: method
    for group in Operations.__mro__
    for name, method in vars(group).items()
    if isinstance(method, (Method, Pages))
}

API = Docshard("http://service")

HEADERS = {
    "If-Match": "etag",
    "Idempotency-Key": "idempotency_key",
    "If-None-Match": None,  # the SDK keeps no copies that could be compared
    "Range": None,  # download_file asks for ranges; get_content is for what fits in memory
    "If-Range": None,
    "Repr-Digest": None,  # computed
    "Consistency-Token": None,  # carried
    "Max-Staleness": None,  # said once, of all that an object reads
}
IN_PYTHON = {"from": "from_"}
BINARY = {"content", "mime_type"}
"""A body of bytes, and its Content-Type."""


def test_the_models_are_those_of_the_description() -> None:
    assert MODELS.read_text() == render(DESCRIPTION), "run: make api"


def test_every_operation_is_a_method_and_nothing_else_is() -> None:
    assert set(DECLARED) == set(OPERATIONS)


@pytest.mark.parametrize("api", [API, AsyncDocshard("http://service")])
def test_both_faces_have_every_operation(api: object) -> None:
    assert all(callable(getattr(api, name)) for name in OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_takes_what_its_operation_takes(name: str) -> None:
    taken = set(inspect.signature(getattr(API, name)).parameters)
    paged = {"cursor"} if isinstance(DECLARED[name], Pages) else set()
    assert taken == set(_parameters(OPERATIONS[name])) - paged


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_says_what_it_does(name: str) -> None:
    method = getattr(API, name)
    assert method.__doc__ and method.__name__ == name
    assert "self" not in inspect.signature(method).parameters


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        known = HEADERS if parameter["in"] == "header" else IN_PYTHON
        found = known.get(parameter["name"], parameter["name"])
        if found is not None:
            yield found
    for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
        if media_type == "application/json":
            name = body["schema"]["$ref"].rsplit("/", 1)[1]
            yield from DESCRIPTION["components"]["schemas"][name]["properties"]
        else:
            yield from BINARY


def test_every_model_can_be_imported_from_the_package() -> None:
    for name in models.__all__:
        assert getattr(docshard_client, name) is getattr(models, name)
        assert name in docshard_client.__all__


def test_fields_of_tomorrow_are_ignored_and_values_do_not_change() -> None:
    document = Document.model_validate(
        {
            "id": "01983f5e-2222-7d2b-9a4e-0c5b7d1e2f31",
            "client_id": "01983f5e-2222-7d2b-9a4e-0c5b7d1e2f32",
            "original_name": "a",
            "mime_type": "of/tomorrow",
            "current_version": 0,
            "metadata": {},
            "created_at": datetime(2026, 1, 1, tzinfo=UTC),
            "created_by": "01983f5e-2222-7d2b-9a4e-0c5b7d1e2f33",
            "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
            "legal_hold": False,
            "a_field_of_tomorrow": True,
        }
    )
    with pytest.raises(ValueError, match="frozen"):
        setattr(document, "original_name", "b")  # noqa: B010 - the type checker refuses the other way


def test_no_secret_shows_in_a_repr() -> None:
    login = Login(access_token="s3cret", token_type="Bearer", expires_in=1, refresh_token="s3cret")
    assert "s3cret" not in repr(login) + str(login)
    assert "s3cret" not in repr(Docshard("http://service", "s3cret"))
    call = Docshard.login.job("a@example.org", "s3cret")
    assert "s3cret" not in repr(call)


def test_what_is_secret_in_the_description_is_secret_here() -> None:
    """Fields named like secrets that a later description adds are hidden by the same names."""
    words = ("token", "secret", "recovery", "password", "otpauth")
    fields = {field for name in models.__all__ for field in get_type_hints(getattr(models, name))}
    harmless = {"token_type"}
    assert {f for f in fields if any(word in f for word in words)} - harmless <= SECRETS
