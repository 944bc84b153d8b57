"""What tenants do: documents, versions, retries, searches, reads with tokens, audit pages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from hypothesis import strategies as st

from tests.faults.model.beliefs import Creation, Tenant
from tests.faults.model.crowd import PREFIX
from tests.faults.model.machine import WHICH, HistoryMachine, nth, step
from tests.faults.model.stage import is_unknown
from tests.integration.document_model import Content, Document, comparable
from tests.integration.document_reading import fits
from tests.integration.document_world import tell

WORDS = ("harbour", "quarterly invoice", "zebra", "harbour zebra")
CONTENTS = tuple(
    Content(data, mime)
    for data, mime in (
        (b"", "text/plain"),
        (b"one", "text/plain"),
        (b"two", "application/octet-stream"),
        (b"three" * 900, "text/plain"),
    )
)
WORD = st.integers(0, len(WORDS) - 1)
CONTENT = st.integers(0, len(CONTENTS) - 1)
NUMBER = st.integers(0, 3)


@dataclass(frozen=True)
class Change:
    """A change of a document. `done_already`: what the same request is answered when it was made
    before; that settles an outcome that nobody knew."""

    method: str
    below: str
    action: str
    done_already: Collection[int]
    sent: dict[str, Any]


class TenantRules(HistoryMachine):
    """One operation after the other, beside the crowd's."""

    # Changes

    @step(tenant=WHICH, word=WORD, number=NUMBER)
    def create(self, tenant: int, word: int, number: int) -> None:
        self.make(self.tenant(tenant), word, number)

    def make(self, at: Tenant, word: int, number: int) -> None:
        """I2: a key has one effect, whatever becomes of the answer."""
        key, request_id = uuid4().hex, self.stage.request_id()
        body = {
            "original_name": WORDS[word],
            "mime_type": "text/plain",
            "metadata": {"a": number},
        }
        headers = {"Idempotency-Key": key, "Request-Id": request_id}
        answer = self.insist(at, "POST", "", json=body, headers=headers)
        if self.turned_away(at, answer):
            return
        assert answer.status_code == 201, answer.text
        shown = answer.json()
        document = Document(at.id, shown["id"], WORDS[word], "text/plain", {"a": number})
        tell(document, "document.create", {request_id}, None)
        at.documents.append(document)
        at.creations.append(Creation(key, body, shown))
        self.acknowledged(at, answer)
        self.look(at, document)

    @step(tenant=WHICH, document=WHICH, word=WORD, number=NUMBER)
    def patch(self, tenant: int, document: int, word: int, number: int) -> None:
        body = {"original_name": WORDS[word], "metadata": {"a": number, "b": word}}
        found = self.living(tenant, document)
        if found is None:
            return
        at, one = found
        change = Change("PATCH", "", "document.update", {412}, {"json": body})
        if self.changed(at, one, change):
            before = one.image()
            if one.patch(body):
                tell(one, change.action, {self.last_request}, before)
            self.look(at, one)

    @step(tenant=WHICH, document=WHICH, content=CONTENT)
    def put(self, tenant: int, document: int, content: int) -> None:
        found = self.living(tenant, document)
        if found is None:
            return
        self.add_version(*found, CONTENTS[content])

    def add_version(self, at: Tenant, one: Document, chosen: Content) -> None:
        """Its next content."""
        sent = {"content": chosen.data, "headers": {"Content-Type": chosen.mime_type}}
        change = Change("PUT", "/content", "version.create", {412}, sent)
        if self.changed(at, one, change):
            before = one.image()
            one.add(chosen)
            tell(one, change.action, {self.last_request}, before)
            self.look(at, one)

    @step(tenant=WHICH, document=WHICH)
    def delete(self, tenant: int, document: int) -> None:
        found = self.living(tenant, document)
        if found is None:
            return
        at, one = found
        change = Change("DELETE", "", "document.delete", {404}, {})
        if self.changed(at, one, change):
            before = one.image()
            one.delete(deleted=True)
            tell(one, change.action, {self.last_request}, before)
            self.look(at, one)

    @step(tenant=WHICH, document=WHICH)
    def restore(self, tenant: int, document: int) -> None:
        at = self.tenant(tenant)
        one = nth(document, [one for one in at.documents if one.deleted and not one.purged])
        if one is None:
            return
        change = Change("POST", "/restore", "document.restore", {409}, {})
        if self.changed(at, one, change):
            before = one.image()
            one.delete(deleted=False)
            tell(one, change.action, {self.last_request}, before)
            self.look(at, one)

    @step(tenant=WHICH, document=WHICH)
    def purge(self, tenant: int, document: int) -> None:
        at = self.tenant(tenant)
        one = nth(document, [one for one in at.documents if one.deleted and not one.purged])
        if one is None:
            return
        change = Change("POST", "/purge", "document.purge", {404}, {})
        if self.changed(at, one, change):
            before = one.image()
            one.purged = True
            tell(one, change.action, {self.last_request}, before)
            self.look(at, one)

    @step(tenant=WHICH, which=WHICH)
    def again(self, tenant: int, which: int) -> None:
        """I2: a key from before answers the same, on whatever shard its tenant lives by now."""
        at = self.tenant(tenant)
        creation = nth(which, at.creations)
        if creation is not None:
            self.replay(at, creation)

    def replay(self, at: Tenant, creation: Creation) -> None:
        """A key answers what it answered first, and refuses another body."""
        headers = {"Idempotency-Key": creation.key}
        answer = self.insist(at, "POST", "", json=creation.body, headers=headers)
        if self.turned_away(at, answer):
            return
        assert (answer.status_code, answer.json()) == (201, creation.answer), answer.text
        other = {**creation.body, "original_name": "other"}
        answer = self.insist(at, "POST", "", json=other, headers=headers)
        assert answer.json()["code"] == "idempotency_mismatch", answer.text

    @step(tenant=WHICH, document=WHICH)
    def stale(self, tenant: int, document: int) -> None:
        """Nobody changes what he has not seen."""
        found = self.living(tenant, document)
        if found is None:
            return
        at, one = found
        headers = {"If-Match": f'"{one.row_version + 7}"'}
        answer = self.ask(at, "PATCH", f"/{one.id}", json={"metadata": {"a": 9}}, headers=headers)
        if not self.turned_away(at, answer):
            assert answer.status_code == 412, answer.text

    # Reads

    @step(tenant=WHICH, document=WHICH)
    def read(self, tenant: int, document: int) -> None:
        """I1, I7, I8: as the last write's token promises; each version, its bytes."""
        at = self.tenant(tenant)
        one = nth(document, at.documents)
        if one is not None and not self.turned_away(at, self.ask(at, "GET", "?limit=1")):
            self.look(at, one)
            self.look_into(at, one)

    @step(tenant=WHICH, word=st.none() | WORD, limit=st.integers(2, 50))
    def pages(self, tenant: int, word: int | None, limit: int) -> None:
        """Every document that fits, once, as it is; of the crowd's, those that were answered."""
        at = self.tenant(tenant)
        asked = {} if word is None else {"q": WORDS[word].split()[0]}
        crowd = dict(at.crowd)
        found = self.listed(at, {**asked, "limit": limit})
        if found is None:
            return
        ours = [one for one in found if not one["original_name"].startswith(PREFIX)]
        wanted = [one.shown for one in at.documents if fits(one, asked)]
        assert sorted(ours, key=_id) == sorted(wanted, key=_id), (asked, ours, wanted)
        if word is None:
            self.check_crowd(at, crowd, found)

    @step(tenant=WHICH, document=WHICH)
    def audit(self, tenant: int, document: int) -> None:
        """I5: one row for each change of a document, with what was and what is."""
        at = self.tenant(tenant)
        one = nth(document, at.documents)
        if one is not None and not self.turned_away(at, self.ask(at, "GET", "?limit=1")):
            self.check_audit(at, one)

    @step(tenant=WHICH, other=WHICH, document=WHICH)
    def strangers(self, tenant: int, other: int, document: int) -> None:
        """I4: another tenant's document is absent, under either address."""
        at, stranger = self.tenant(tenant), self.tenant(other)
        one = nth(document, at.documents)
        if one is None or at is stranger:
            return
        for owner in (at, stranger):
            asking = self.stage.ask(stranger.caller, "GET", f"{owner.path}/{one.id}")
            answer = self.stage.run(asking)
            if not self.turned_away(stranger, answer):
                assert answer.status_code == 404, answer.text

    # What they are made of

    def living(self, tenant: int, document: int) -> tuple[Tenant, Document] | None:
        """A document of a tenant that is not deleted."""
        at = self.tenant(tenant)
        one = nth(document, [one for one in at.documents if not one.living()])
        return None if one is None else (at, one)

    def insist(self, at: Tenant, method: str, below: str, **sent: Any) -> httpx.Response:
        """What has one effect however often it is sent, until its outcome is known."""
        insisting = self.stage.insist(at.caller, method, f"{at.path}{below}", **sent)
        return self.stage.run(insisting)

    def changed(self, at: Tenant, one: Document, change: Change) -> bool:
        """Change it; whether that was done, which an active tenant may rely on.

        A request of unknown outcome is sent again: it names what it has seen, so it is done once.
        """
        self.last_request = self.stage.request_id()
        headers = {
            "If-Match": one.etag,
            "Request-Id": self.last_request,
            **change.sent.get("headers", {}),
        }
        sent = {**change.sent, "headers": headers}
        unknown = 0
        while is_unknown(answer := self.ask(at, change.method, f"/{one.id}{change.below}", **sent)):
            unknown += 1
            self.tally["unknown"] += 1
        if self.turned_away(at, answer):
            assert not unknown
            return False
        done = answer.is_success or (unknown > 0 and answer.status_code in change.done_already)
        assert done, (change, unknown, answer.text)
        self.acknowledged(at, answer)
        return True

    def acknowledged(self, at: Tenant, answer: httpx.Response) -> None:
        """Count it, and keep its token for later reads."""
        self.tally["writes acknowledged"] += 1
        at.token = answer.headers.get("Consistency-Token", at.token)

    def look(self, at: Tenant, one: Document) -> None:
        """The document is what the model says, to who comes with the last write's token."""
        headers = {} if at.token is None else {"Consistency-Token": at.token}
        answer = self.ask(at, "GET", f"/{one.id}?deleted=include", headers=headers)
        if one.purged:
            assert answer.status_code == 404, answer.text
            return
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        told = comparable({name: shown[name] for name in one.image()})
        assert (told, answer.headers["ETag"]) == (one.image(), one.etag)
        one.shown = shown

    def look_into(self, at: Tenant, one: Document) -> None:
        """Its versions are dense, and their bytes are there."""
        if one.living():
            return
        listed = self.ask(at, "GET", f"/{one.id}/versions?limit=200")
        told = [(v["version_number"], v["checksum_sha256"]) for v in listed.json()["items"]]
        assert told[::-1] == [(n, v.sha256) for n, v in enumerate(one.versions, 1)], listed.text
        for number, content in enumerate(one.versions, 1):
            path = f"/{one.id}/versions/{number}/content?proxy=true"
            answer = self.ask(at, "GET", path)
            assert (answer.status_code, answer.content) == (200, content.data), answer.text

    def listed(self, at: Tenant, asked: dict[str, Any]) -> list[dict[str, Any]] | None:
        """All pages; None when the tenant is turned away."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.ask(at, "GET", params=asked)
            if self.turned_away(at, answer):
                return None
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            if answer.json()["next_cursor"] is None:
                return found
            asked = {**asked, "cursor": answer.json()["next_cursor"]}

    def check_crowd(
        self, at: Tenant, answered: dict[str, str], found: list[dict[str, Any]]
    ) -> None:
        """I1, I2: what was answered is there; nothing is there twice or was never sent."""
        there = [one["original_name"] for one in found if one["original_name"].startswith(PREFIX)]
        ids = {one["original_name"]: one["id"] for one in found}
        assert len(there) == len(set(there)), "made twice"
        assert set(there) <= at.sent, set(there) - at.sent
        lost = {name for name, answer in answered.items() if ids.get(name) != answer}
        assert not lost, (at.number, f"lost: {lost}")

    def check_audit(self, at: Tenant, one: Document) -> None:
        """The audit log has what was told of it, in order."""
        rows = [
            row
            for row in self.audited(at, {"entity_id": one.id})
            if row["action"] != "content.read"
        ]
        given = [
            (
                row["action"],
                row["request_id"],
                {side: comparable(row["changes"][side]) for side in ("before", "after")},
            )
            for row in rows
        ]
        wanted = [(told.action, next(iter(told.requests)), told.changes) for told in one.told]
        assert given == wanted

    def audited(self, at: Tenant, filters: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of a tenant's audit log, oldest first."""
        rows: list[dict[str, Any]] = []
        asked, path = {"limit": 200, **filters}, f"/v1/clients/{at.id}/audit-logs"
        while True:
            answer = self.stage.run(self.stage.ask(at.caller, "GET", path, params=asked))
            assert answer.status_code == 200, answer.text
            rows += answer.json()["items"]
            if answer.json()["next_cursor"] is None:
                return rows[::-1]
            asked["cursor"] = answer.json()["next_cursor"]


def _id(shown: dict[str, Any]) -> str:
    return str(shown["id"])
