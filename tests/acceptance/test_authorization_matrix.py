"""I4, and who may do what: every operation by everybody, at everything that its address can name.

What is expected comes from `tests.access_model` and the table in `matrix_operations`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests import access_model
from tests.acceptance.api import connect
from tests.acceptance.fleet import LocalFleet, until
from tests.acceptance.matrix_calls import (
    AT_ONCE,
    INMATES,
    STRANGERS,
    Caller,
    Cell,
    Sharing,
    Variant,
    all_of,
    cells,
    code_of,
    everything,
    expected,
    fresh,
    shape_of,
    shared,
)
from tests.acceptance.matrix_cast import Cast, make_cast
from tests.acceptance.matrix_operations import KNOWN, OPENAPI, OPERATIONS, RULES, Operation
from tests.acceptance.stage import Actor
from tests.access_model import ROLES, Reach


def each(*, on_client: bool) -> pytest.MarkDecorator:
    chosen = [one for one in KNOWN if one.on_client or not on_client]
    return pytest.mark.parametrize("operation", chosen, ids=[one.name for one in chosen])


@pytest.fixture(scope="module")
def cast(fleet: LocalFleet, admin: httpx.Client) -> Cast:
    made = make_cast(fleet, admin)
    with connect(fleet, made.actor("expired key").bearer) as http:
        until(lambda: http.get("/v1/me").status_code == 401)
    return made


@pytest.fixture(scope="module")
async def caller(fleet: LocalFleet) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(base_url=fleet.api, timeout=30) as http:
        yield Caller(http, asyncio.Semaphore(AT_ONCE))


def test_every_route_is_in_the_matrix() -> None:
    missing = {one.name for one in OPERATIONS} - set(RULES)
    assert not missing, f"say in matrix_operations.RULES what these demand: {sorted(missing)}"


@each(on_client=False)
async def test_everybody_everywhere(operation: Operation, cast: Cast, caller: Caller) -> None:
    """Each cell answers what the contract says, no more and no less."""

    async def differs(cell: Cell) -> str | None:
        wanted = expected(operation, cell)
        bearer, ids = cell.actor.bearer, cell.ids
        if operation.row.spends and wanted[1] is None:
            bearer, ids = await asyncio.to_thread(fresh, cast, operation, cell)
        answer = await caller.call(operation, bearer, ids, Variant("", operation.harmless))
        code = code_of(operation, answer) if wanted[1] else None
        assert (answer.status_code == 401) == ("WWW-Authenticate" in answer.headers)
        if code == "forbidden" and operation.row.rule.permission:
            assert operation.row.rule.permission in answer.json()["detail"]
        found = (answer.status_code, wanted[1] if operation.method == "HEAD" else code)
        return None if found == wanted else f"{cell.actor.name} at {cell.target}: {found}, {wanted}"

    results = await all_of(differs(cell) for cell in cells(operation, cast))
    assert [one for one in results if one] == []


async def assert_alike(
    operation: Operation,
    caller: Caller,
    who: Actor,
    pair: tuple[dict[str, Any], dict[str, Any]],
    dresses: Iterable[Variant],
) -> None:
    """Whatever is sent along, both places answer the same."""

    async def differs(variant: Variant) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
        one, other = [
            shape_of(operation, await caller.call(operation, who.bearer, ids, variant))
            for ids in pair
        ]
        return None if one == other else (f"{who.name}, {variant.name}", one, other)

    results = await all_of(differs(variant) for variant in dresses)
    assert [one for one in results if one] == []


async def assert_strangers_learn_nothing(
    operation: Operation, cast: Cast, caller: Caller, sharing: Sharing
) -> None:
    foreign = dict(cast.clients["own"])
    absent = foreign | {"client_id": str(uuid4())}
    for name, dresses in sharing(operation, STRANGERS):
        await assert_alike(operation, caller, cast.actor(name), (foreign, absent), dresses)
    # What cannot be an id names nothing.
    nonsense = absent | {"client_id": "nonsense"}
    (name, dresses), *_ = sharing(operation, STRANGERS)
    await assert_alike(operation, caller, cast.actor(name), (nonsense, absent), dresses)


@each(on_client=True)
async def test_a_foreign_client_answers_like_an_absent_one(
    operation: Operation, cast: Cast, caller: Caller
) -> None:
    """I4."""
    await assert_strangers_learn_nothing(operation, cast, caller, shared)


@pytest.mark.torture
@each(on_client=True)
async def test_a_foreign_client_answers_everybody_like_an_absent_one(
    operation: Operation, cast: Cast, caller: Caller
) -> None:
    """I4."""
    await assert_strangers_learn_nothing(operation, cast, caller, everything)


INSIDE = [one for one in KNOWN if one.on_client and one.names - {"number"}]
inside = pytest.mark.parametrize("operation", INSIDE, ids=[one.name for one in INSIDE])


async def assert_inmates_learn_nothing(
    operation: Operation, cast: Cast, caller: Caller, sharing: Sharing
) -> None:
    theirs, mine = cast.clients["other"], dict(cast.clients["own"])
    for things in {operation.names, operation.names & {"upload_id"}} - {frozenset()}:
        foreign = mine | {one: theirs[one] for one in things}
        absent = mine | {one: str(uuid4()) for one in things - {"number"}}
        for name, dresses in sharing(operation, INMATES):
            await assert_alike(operation, caller, cast.actor(name), (foreign, absent), dresses)


@inside
async def test_a_foreign_thing_answers_like_an_absent_one_inside_the_own_client(
    operation: Operation, cast: Cast, caller: Caller
) -> None:
    """I4."""
    await assert_inmates_learn_nothing(operation, cast, caller, shared)


@pytest.mark.torture
@inside
async def test_a_foreign_thing_answers_everybody_like_an_absent_one_inside_the_own_client(
    operation: Operation, cast: Cast, caller: Caller
) -> None:
    """I4."""
    await assert_inmates_learn_nothing(operation, cast, caller, everything)


LISTS = [one for one in KNOWN if one.on_client and one.name.startswith("list_")]


@pytest.mark.parametrize("operation", LISTS, ids=[one.name for one in LISTS])
async def test_a_cursor_of_another_client_is_none(
    operation: Operation, cast: Cast, caller: Caller
) -> None:
    """Even for who may read both; it answers like one that was made up."""
    admin, ids = cast.actor("admin"), dict(cast.clients["own"])
    with connect(cast.stage.fleet, admin.bearer) as http:
        for _ in range(2):
            http.put(f"/v1/clients/{ids['client_id']}/documents/{ids['document_id']}/content")
            keys = f"/v1/clients/{ids['client_id']}/api-keys"
            http.post(keys, json={"name": "one more", "scopes": ["report:read"]})
            documents = f"/v1/clients/{ids['client_id']}/documents"
            http.post(documents, json={"original_name": "b", "mime_type": "text/plain"})
        cursor = http.get(operation.at(ids), params={"limit": 1}).json()["next_cursor"]
        assert cursor is not None
        assert http.get(operation.at(ids), params={"cursor": cursor}).status_code == 200
    other = cast.clients["other"]
    for who in (admin, cast.actor("other's owner")):
        stolen, invented = [
            shape_of(
                operation,
                await caller.call(
                    operation, who.bearer, other, Variant("", query=f"cursor={text}")
                ),
            )
            for text in (cursor, "x" * len(cursor))
        ]
        assert stolen == invented
        assert stolen["problem"]["code"] == "invalid_cursor"


@pytest.mark.parametrize("name", ["user_id", "entity_id"])
async def test_foreign_ids_in_a_filter_find_what_absent_ones_find(
    name: str, cast: Cast, caller: Caller
) -> None:
    operation = next(one for one in KNOWN if one.name == "list_audit_logs")
    theirs = {"user_id": cast.service["user_id"], "entity_id": cast.clients["own"]["document_id"]}
    who, mine = cast.actor("other's owner"), cast.clients["other"]
    answers = [
        await caller.call(operation, who.bearer, mine, Variant("", query=f"{name}={text}"))
        for text in (theirs[name], uuid4())
    ]
    assert [one.json() for one in answers] == [{"items": [], "next_cursor": None}] * 2


async def test_an_idempotency_key_is_its_callers_own(cast: Cast) -> None:
    """I2 and I4: the same key and body, sent by others or elsewhere, meets no stored outcome."""
    key = {"Idempotency-Key": str(uuid4())}
    body = {"original_name": "mine", "mime_type": "text/plain"}
    seen = set()
    for who, client in (
        *(("owner", "own"), ("own key", "own"), ("other's owner", "other")),
        *(("admin", "own"), ("admin", "other")),
    ):
        with connect(cast.stage.fleet, cast.actor(who).bearer) as http:
            documents = f"/v1/clients/{cast.clients[client]['client_id']}/documents"
            made = [http.post(documents, json=body, headers=key) for _ in range(2)]
        if who == "admin" or made[0].status_code == 201:
            assert made[0].json() == made[1].json()
            seen.add(made[0].json()["id"])
    assert len(seen) == 5
    with connect(cast.stage.fleet, cast.actor("viewer").bearer) as http:
        documents = f"/v1/clients/{cast.clients['own']['client_id']}/documents"
        assert http.post(documents, json=body, headers=key).status_code == 403


async def test_an_etag_opens_nothing(cast: Cast, caller: Caller) -> None:
    """A known ETag of a foreign document neither answers 304 nor changes anything."""
    theirs = cast.clients["own"]
    with connect(cast.stage.fleet, cast.actor("admin").bearer) as http:
        at = f"/v1/clients/{theirs['client_id']}/documents/{theirs['document_id']}"
        etag = http.get(at).headers["ETag"]
    mine = {**theirs, "client_id": cast.clients["other"]["client_id"]}
    for operation in (one for one in KNOWN if "document_id" in one.names):
        for ids in (theirs, mine):
            for header in ("If-Match", "If-None-Match", "If-Range"):
                variant = Variant("", b'{"metadata": {"a": 1}}', headers={header: etag})
                who = cast.actor("other's owner")
                answer = await caller.call(operation, who.bearer, ids, variant)
                assert answer.status_code == 404, operation.name


def test_the_table_names_what_the_description_says() -> None:
    """The description's own word for who may call agrees with the contract's."""
    words = {Reach.ANYBODY: "<public>", Reach.ONESELF: "<authenticated>", Reach.PERSON: "<person>"}
    told = {
        one["operationId"]: one["x-permission"]
        for methods in OPENAPI["paths"].values()
        for one in methods.values()
    }
    for operation in KNOWN:
        rule = operation.row.rule
        assert told[operation.name] == words.get(rule.reach, rule.permission), operation.name


@pytest.mark.parametrize("seed", range(4))
async def test_any_grants_give_what_the_model_says(seed: int, cast: Cast, caller: Caller) -> None:
    """Roles that nobody thought of, on some client or on all."""
    who = await asyncio.to_thread(somebody, cast, random.Random(seed))

    async def differs(operation: Operation, cell: Cell) -> str | None:
        wanted = expected(operation, cell)
        variant = Variant("", operation.harmless)
        answer = await caller.call(operation, who.bearer, cell.ids, variant)
        code = code_of(operation, answer) if wanted[1] and operation.method != "HEAD" else wanted[1]
        same = (answer.status_code, code) == wanted
        return None if same else f"{operation.name} at {cell.target}: {answer.text}, {wanted}"

    alone = replace(cast, actors=(who,))
    chosen = [one for one in KNOWN if not one.row.spends]
    results = await all_of(differs(one, cell) for one in chosen for cell in cells(one, alone))
    assert [one for one in results if one] == []


def somebody(cast: Cast, chance: random.Random) -> Actor:
    """A user with one to three custom roles of one to four permissions each."""
    stage, user, grants = cast.stage, cast.stage.user(), []
    for _ in range(chance.randint(1, 3)):
        permissions = chance.sample(sorted(ROLES["admin"]), chance.randint(1, 4))
        where = chance.choice((None, "own", "other", "suspended", "inactive"))
        client_id = None if where is None else cast.clients[where]["client_id"]
        stage.grant(user["id"], stage.role(*permissions)["name"], client_id)
        grants.append((frozenset(permissions), where))
    return Actor("somebody", stage.token(user["email"]), access_model.Caller(tuple(grants)))
