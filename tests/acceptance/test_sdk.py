"""The SDK against a running fleet: what a tenant's developer writes."""

import asyncio
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import httpx
import pyotp
import pytest

from docshard_client import (
    AsyncDocshard,
    Conflict,
    Docshard,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
)
from tests.acceptance.fleet import LocalFleet

SCOPES = (
    *("client:read", "document:read", "document:write", "document:delete", "document:purge"),
    "audit:read",
)


@pytest.fixture(scope="module")
def admin_api(fleet: LocalFleet) -> Iterator[Docshard]:
    variables = fleet.variables
    with Docshard(fleet.api) as api:
        api.login(variables["DOCSHARD_ADMIN_EMAIL"], variables["DOCSHARD_ADMIN_PASSWORD"])
        yield api


@pytest.fixture(scope="module")
def client_id(admin_api: Docshard) -> UUID:
    return admin_api.create_client(f"sdk-{uuid4().hex[:12]}", "An SDK's tenant").id


@pytest.fixture(scope="module")
def key(admin_api: Docshard, client_id: UUID) -> str:
    return admin_api.create_api_key(client_id, "sdk", SCOPES).key


@pytest.fixture(scope="module")
def api(fleet: LocalFleet, key: str) -> Iterator[Docshard]:
    with Docshard(fleet.api, key) as api:
        yield api


def test_a_documents_whole_life(api: Docshard, client_id: UUID) -> None:
    made = api.create_document(client_id, "a.txt", "text/plain", {"kind": "note", "old": 1})
    assert (made.current_version, made.size) == (0, None)
    for number, content in enumerate((b"one", b"one and two"), start=1):
        assert api.put_content(client_id, made.id, content, "text/plain").version_number == number
    assert [v.version_number for v in api.list_versions(client_id, made.id)] == [2, 1]

    read = api.get_document(client_id, made.id)
    assert read.checksum_sha256 == hashlib.sha256(b"one and two").hexdigest()
    changed = api.update_document(
        client_id, made.id, read.etag or "", original_name="b.txt", metadata={"old": None}
    )
    assert (changed.original_name, changed.metadata) == ("b.txt", {"kind": "note"})
    with pytest.raises(PreconditionFailed):
        api.delete_document(client_id, made.id, read.etag or "")

    api.delete_document(client_id, made.id, changed.etag or "")
    with pytest.raises(NotFound):
        api.get_document(client_id, made.id)
    assert api.get_document(client_id, made.id, deleted="include").deleted_at is not None
    assert api.restore_document(client_id, made.id).deleted_at is None


def test_an_upload_straight_to_storage_and_a_promotion(api: Docshard, client_id: UUID) -> None:
    made = api.create_document(client_id, "direct.txt", "text/plain")
    for content in (b"first", b"second"):
        digest = hashlib.sha256(content).hexdigest()
        upload = api.create_upload(client_id, made.id, len(content), digest)
        request = upload.upload
        assert request is not None
        httpx.request(request.method, request.url, headers=request.headers, content=content)
        versions = [api.complete_upload(client_id, made.id, upload.upload_id) for _ in "ab"]
        assert versions[0] == versions[1]
    spare = api.create_upload(client_id, made.id, 1, "0" * 64)
    api.abort_upload(client_id, made.id, spare.upload_id)
    etag = api.get_document(client_id, made.id).etag or ""
    assert api.promote_version(client_id, made.id, 1, etag).version_number == 3
    assert api.get_content(client_id, made.id) == b"first"


def test_a_batch_and_a_purge(api: Docshard, client_id: UUID) -> None:
    made = api.create_document(client_id, "batched.txt", "text/plain")
    delete = {"operation": "delete", "document_id": str(made.id), "if_match": "*"}
    done = api.batch_documents(client_id, [delete, delete])
    assert [one.status for one in done.results] == [204, 404]
    api.purge_document(client_id, made.id)
    with pytest.raises(NotFound):
        api.get_document(client_id, made.id, deleted="include")


@pytest.mark.parametrize("proxy", [False, True])
def test_content_comes_back_from_storage_and_through_the_service(
    api: Docshard, client_id: UUID, proxy: bool
) -> None:
    content = bytes(range(256)) * 300
    made = api.create_document(client_id, "raw.bin", "application/octet-stream")
    api.put_content(client_id, made.id, content, "application/octet-stream")
    assert api.get_content(client_id, made.id, proxy=proxy) == content


def test_a_creation_with_the_same_key_is_one_creation(api: Docshard, client_id: UUID) -> None:
    """I2."""
    key = str(uuid4())
    first, second = (
        api.create_document(client_id, "once.txt", "text/plain", idempotency_key=key) for _ in "ab"
    )
    assert first.id == second.id
    with pytest.raises(InvalidRequest) as caught:
        api.create_document(client_id, "other.txt", "text/plain", idempotency_key=key)
    assert caught.value.code == "idempotency_mismatch"
    assert caught.value.request_id


def test_lists_page_by_themselves_and_miss_nothing(api: Docshard, client_id: UUID) -> None:
    made = {api.create_document(client_id, f"{n}.csv", "text/csv").id for n in range(7)}
    listed = [d.id for d in api.list_documents(client_id, mime_type="text/csv", limit=3)]
    assert (len(listed), set(listed)) == (7, made)


def test_audit_tells_what_the_sdk_did(api: Docshard, client_id: UUID) -> None:
    """I5."""
    made = api.create_document(client_id, "audited.txt", "text/plain")
    [row] = api.list_audit_logs(client_id, entity_id=made.id, limit=1)
    assert (row.action, row.entity_id) == ("document.create", made.id)


def test_clients_are_created_once_for_each_code(admin_api: Docshard, client_id: UUID) -> None:
    mine = admin_api.get_client(client_id)
    assert [c.id for c in admin_api.list_clients(code=mine.code)] == [client_id]
    assert admin_api.get_placement(client_id).state == "open"
    with pytest.raises(Conflict) as caught:
        admin_api.create_client(mine.code, "Another")
    assert caught.value.code == "code_taken"


def test_a_wrong_key_gets_in_nowhere(fleet: LocalFleet, client_id: UUID) -> None:
    with Docshard(fleet.api, "dsk_wrong") as stranger, pytest.raises(Unauthenticated):
        stranger.get_client(client_id)


async def test_the_asynchronous_face_does_the_same(
    fleet: LocalFleet, key: str, client_id: UUID
) -> None:
    async with AsyncDocshard(fleet.api, key) as api:

        async def store(number: int) -> bytes:
            made = await api.create_document(client_id, f"{number}.txt", "text/x-parallel")
            await api.put_content(client_id, made.id, b"%d" % number, "text/x-parallel")
            return await api.get_content(client_id, made.id)

        assert await asyncio.gather(*map(store, range(6))) == [b"%d" % n for n in range(6)]
        listed = [d async for d in api.list_documents(client_id, mime_type="text/x-parallel")]
        assert {d.current_version for d in listed} == {1}


@pytest.fixture
def person(fleet: LocalFleet, admin_api: Docshard) -> Iterator[tuple[str, str]]:
    """A user's address and password, set by a one-time link."""
    email, password = f"{uuid4().hex}@example.org", "a long and quiet afternoon"
    user = admin_api.create_user(email)
    link = admin_api.create_password_link(user.id)
    with Docshard(fleet.api) as nobody:
        nobody.redeem_password_link(link.token, password)
    yield email, password
    admin_api.delete_user(user.id)


def spoil(api: Docshard) -> None:
    """Let the access token be one that the service does not know, as after its end."""
    session = api._session
    session.bearer = replace(session.bearer, token="ended")


def test_a_session_goes_on_when_its_token_has_ended(
    fleet: LocalFleet, person: tuple[str, str]
) -> None:
    with Docshard(fleet.api) as api:
        begun = api.login(*person)
        for _ in "ab":
            spoil(api)
            with ThreadPoolExecutor(6) as pool:
                ids = {me.user_id for me in pool.map(lambda _: api.get_me(), range(12))}
            assert len(ids) == 1
        api.logout()
        with pytest.raises(Unauthenticated):
            api.refresh(begun.refresh_token)


async def test_a_session_goes_on_in_another_process(
    fleet: LocalFleet, person: tuple[str, str]
) -> None:
    with Docshard(fleet.api) as api:
        kept = api.login(*person).refresh_token
    async with AsyncDocshard(fleet.api) as other:
        await other.refresh(kept)
        assert (await other.get_me()).session is not None


def test_a_second_factor(fleet: LocalFleet, person: tuple[str, str]) -> None:
    with Docshard(fleet.api) as api:
        api.login(*person)
        enrolled = api.enrol_mfa()
        codes = api.confirm_mfa(pyotp.TOTP(enrolled.secret).now()).recovery_codes
        with pytest.raises(Unauthenticated) as caught:
            api.login(*person)
        assert caught.value.code == "mfa_required"
        api.login(*person, recovery_code=codes[0])
        api.remove_mfa()
        api.login(*person)
        api.change_password(person[1], "another long and quiet afternoon")


def test_people_roles_and_keys(
    admin_api: Docshard, client_id: UUID, person: tuple[str, str]
) -> None:
    [user] = admin_api.list_users(email=person[0])
    assert admin_api.update_user(user.id, mobile="+41791234567").mobile == "+41791234567"
    assert admin_api.update_user(user.id, mobile=None).mobile is None
    name = f"role_{uuid4().hex[:12]}"
    role = admin_api.create_role(name, ["document:read"])
    assert admin_api.update_role(role.id, permissions=["client:read"]).permissions == [
        "client:read"
    ]
    granted = admin_api.grant_role(user.id, name, client_id)
    assert [held.id for held in admin_api.list_user_roles(user.id)] == [granted.id]
    admin_api.revoke_role(user.id, granted.id)
    admin_api.delete_role(role.id)
    assert name not in {one.name for one in admin_api.list_roles()}
    assert "document:read" in {one.name for one in admin_api.list_permissions()}

    key = admin_api.create_api_key(client_id, "short-lived", ["document:read"])
    assert key.id in {one.id for one in admin_api.list_api_keys(client_id)}
    admin_api.revoke_api_key(client_id, key.id)
    found = admin_api.list_all_audit_logs(client_id=client_id, limit=2)
    assert {row.action for row in found.items} == {"key.revoke", "key.create"}
    assert found.unavailable == []


def test_a_clients_life(admin_api: Docshard) -> None:
    made = admin_api.create_client(f"sdk-{uuid4().hex[:12]}", "For a moment")
    assert admin_api.update_client(made.id, metadata={"plan": "large"}).metadata == {
        "plan": "large"
    }
    admin_api.delete_client(made.id)
    assert admin_api.restore_client(made.id).deleted_at is None
    assert admin_api.get_jwks().keys


def test_versions_one_by_one_and_an_etag_alone(api: Docshard, client_id: UUID) -> None:
    made = api.create_document(client_id, "each.txt", "text/plain")
    api.put_content(client_id, made.id, b"one", "text/plain")
    api.put_content(client_id, made.id, b"two", "text/plain")
    assert api.get_version(client_id, made.id, 1).size == 3
    assert api.get_version_content(client_id, made.id, 1) == b"one"
    etag = api.head_document(client_id, made.id)
    held = api.update_document(client_id, made.id, etag, legal_hold=True)
    assert (held.legal_hold, held.etag) == (True, api.head_document(client_id, made.id))
