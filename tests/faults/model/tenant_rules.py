"""What tenants do: documents, versions, retries, searches, reads with tokens, audit pages."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from hypothesis import strategies as st

from tests.faults.model.beliefs import PREFIX, Creation, Tenant
from tests.faults.model.dealings import Change, Dealings
from tests.faults.model.machine import WHICH, nth, step
from tests.integration.document_model import Content, Document
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


class TenantRules(Dealings):
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
        same = (answer.status_code, answer.json()) == (201, creation.answer)
        assert same, f"the same key was answered otherwise: {creation.answer}, {answer.text}"
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

    @step(tenant=WHICH, word=st.none() | WORD, limit=st.integers(10, 100))
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
            assert answer.status_code in {404, *stranger.refused_with()}, answer.text


def _id(shown: dict[str, Any]) -> str:
    return str(shown["id"])
