"""The running app against its own description: no 5xx, nothing undocumented, no broken schema."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks

from tests.acceptance.api import Session, log_in, make_tenant
from tests.acceptance.fleet import LocalFleet

described = schemathesis.openapi.from_path(Path(__file__).parents[2] / "openapi.json")
# Logging out would end the caller's session for all that follows. Of a batch, a list of unlike
# things, the library's generator gives up making one after some answers: bodies of our own making
# go through the same checks below.
schema = described.exclude(operation_id=["logout", "batch_documents"])
# Not by the library's own decorator: its tests all have one name, and run once then when test
# processes share the work.
_found: Any = schema.get_all_operations()
OPERATIONS = [operation.ok() for operation in _found]


def label(operation: Any) -> str:
    """GET /v1/…"""
    return str(operation.label)


@dataclass(frozen=True)
class Caller:
    """An administrator, at the fleet's address."""

    base_url: str
    session: Session


@pytest.fixture(scope="module")
def caller(fleet: LocalFleet, admin: httpx.Client) -> Caller:
    """Not the one of all tests: wrong guesses at a password make an account wait."""
    credentials = {"email": "schema@example.org", "password": "eleven parts of nothing"}
    made = admin.post("/v1/users", json=credentials)
    assert made.status_code == 201, made.text
    granted = admin.post(f"/v1/users/{made.json()['id']}/roles", json={"role": "admin"})
    assert granted.status_code == 201, granted.text
    return Caller(fleet.api, log_in(fleet, credentials))


@pytest.fixture(scope="module")
def existing(fleet: LocalFleet, admin: httpx.Client) -> Iterator[dict[str, str]]:
    """Path parameters that exist, so that more than 404 is met; a tenant to change and delete."""
    for tenant in make_tenant(fleet, admin):
        document = tenant.make_document()
        tenant.put(document, b"some bytes")
        yield {"client_id": tenant.id, "document_id": document["id"], "number": "1"}


BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_any_request_gets_a_documented_answer(operation: Any, caller: Caller) -> None:
    @given(case=operation.as_strategy())
    @BOUNDED
    def holds(case: Any) -> None:
        validate(case, caller)

    holds()


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_any_request_to_what_exists_gets_one(
    operation: Any, existing: dict[str, str], caller: Caller
) -> None:
    @given(case=operation.as_strategy())
    @BOUNDED
    def holds(case: Any) -> None:
        generated = case.path_parameters or {}
        case.path_parameters = {name: existing.get(name, old) for name, old in generated.items()}
        validate(case, caller)

    holds()


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below),
    max_leaves=5,
)
_ITEM = st.fixed_dictionaries(
    {"operation": st.sampled_from(["create", "update", "delete", "restore", "purge"])},
    optional={
        "original_name": st.text(max_size=300) | _ANYTHING,
        "mime_type": st.just("text/plain") | _ANYTHING,
        "metadata": st.dictionaries(st.text(max_size=8), _ANYTHING) | _ANYTHING,
        "document_id": st.uuids().map(str) | _ANYTHING,
        "if_match": st.sampled_from(['"1"', "*", "nonsense"]) | _ANYTHING,
    },
)
_BATCH = _ANYTHING | st.fixed_dictionaries(
    {"operations": st.lists(_ITEM | _ANYTHING, max_size=5) | _ANYTHING}
)


@given(body=_BATCH)
@settings(BOUNDED, max_examples=60)
def test_any_batch_gets_a_documented_answer(
    body: Any, existing: dict[str, str], caller: Caller
) -> None:
    operation = described["/v1/clients/{client_id}/documents:batch"]["POST"]
    for client_id in (existing["client_id"], existing["document_id"]):
        case = operation.Case(
            path_parameters={"client_id": client_id}, body=body, media_type="application/json"
        )
        validate(case, caller)


def validate(case: Any, caller: Caller) -> None:
    case.call_and_validate(
        base_url=caller.base_url,
        headers={"Authorization": f"Bearer {caller.session.token}"},
        timeout=10,
        checks=[
            checks.not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_headers_conformance,
            checks.response_schema_conformance,
        ],
    )
