"""Random histories of documents: every step is done by the service and by the model, and compared.

The steps are drawn from a description alone, never from what the service answered, so that a
failing history shrinks and can be told again.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, ClassVar

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from tests.integration.document_model import (
    ABSENT,
    MISSING,
    RIGHT,
    STALE,
    Content,
    Document,
    Refusal,
)
from tests.integration.document_world import Client, Planned, World, is_unknown, refused, tell
from tests.integration.frames import Fault, How
from tests.integration.wired import patiently

WORDS = ("harbour", "quarterly", "invoice", "zebra")
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=2, unique=True).map(" ".join)
TYPES = st.sampled_from(["text/plain", "application/octet-stream"])
NUMBERS = st.integers(0, 2)
METADATA = st.fixed_dictionaries({}, optional={"a": NUMBERS, "b": NUMBERS})
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "original_name": NAMES,
        "metadata": st.fixed_dictionaries({}, optional={"a": st.none() | NUMBERS, "b": st.none()}),
    },
)
KEEPING = st.fixed_dictionaries(
    {},
    optional={
        "legal_hold": st.booleans(),
        "retain_until": st.sampled_from(["2020-01-01T00:00:00Z", "2021-06-01T00:00:00Z"]),
    },
).filter(bool)
CONTENTS = st.builds(Content, st.sampled_from([b"", b"one", b"two", b"three" * 900]), TYPES)
MATCHES = st.sampled_from([RIGHT, RIGHT, RIGHT, STALE, MISSING])
FAILURES = st.none() | st.builds(Planned, st.sampled_from(How), st.integers(1, 2))
WHO = st.integers(0, 1)

Asked = tuple[int, str, str, dict[str, Any]]
"""Who calls which method of what below a document's address, and what is sent."""

Applied = Callable[[dict[str, Any]], str]
"""Changes the model by what a success answered; gives the audit row's action, "" for none."""


class DocumentMachine(RuleBasedStateMachine):
    """Three tenants, two of them neighbours on one shard, each with two callers."""

    world: ClassVar[World]
    documents = Bundle("documents")

    def __init__(self) -> None:
        super().__init__()
        self.clients: list[Client] = []
        self.living: dict[str, list[Document]] = {}

    @initialize()
    def begin(self) -> None:
        self.clients = self.world.run(self.world.clients())
        self.living = {client.id: [] for client in self.clients}

    # How a step is done

    def of(self, document: Document) -> Client:
        return next(client for client in self.clients if client.id == document.client)

    def call(
        self, client: Client, who: int, method: str, path: str, **sent: Any
    ) -> tuple[str, httpx.Response]:
        """One request; answers its id too."""
        request_id = self.world.request_id()
        headers = {"Request-Id": request_id, **sent.pop("headers", {})}
        sending = patiently(client.callers[who], method, path, headers=headers, **sent)
        self.world.tally["calls"] += 1
        return request_id, self.world.run(sending)

    def change(
        self,
        document: Document,
        asked: Asked,
        refusal: Refusal | None,
        applied: Applied,
        planned: Planned | None = None,
        *,
        repeatable: bool = False,
    ) -> httpx.Response:
        """Change a document; find out what happened where that is unknown, as a client would: by
        the same again, or by looking."""
        client, (who, method, below, sent) = self.of(document), asked
        path, before = f"{client.path(document)}{below}", document.image()
        with self.world.failing(client, planned) as fault:
            request_id, answer = self.call(client, who, method, path, **dict(sent))
        requests, unknown = {request_id}, is_unknown(answer)
        if unknown:
            assert fault is not None
            assert fault.met == 1
            self.world.tally[f"unknown: {fault.how.value}"] += 1
            if repeatable:
                again, answer = self.call(client, who, method, path, **dict(sent))
                requests, unknown = requests | {again}, False
            else:
                assert refusal is None, "what is refused does not come to a commit"
                if not self.happened(document, below, fault):
                    return answer
        if refusal is not None:
            refused(answer, refusal)
        else:
            assert answer.is_success or unknown, answer.text
            body = answer.json() if answer.is_success and answer.content else {}
            if action := applied(body):
                tell(document, action, requests, before)
        self.world.run(self.world.look(client, document))
        return answer

    def happened(self, document: Document, below: str, fault: Fault) -> bool:
        """Look whether a change of unknown outcome was made: that must fit to how it was cut."""
        seen = self.world.run(self.world.seen(self.of(document), document))
        if below == "/purge":
            happened = seen.status_code == 404
        else:
            happened = seen.headers["ETag"] != document.etag
        # Content comes in two transactions, of which the first makes no version.
        assert happened == (fault.how is How.AFTER) or below == "/content"
        return happened

    def match(self, document: Document, match: str) -> dict[str, str]:
        """The header of an If-Match that is right, stale or missing."""
        tags = {RIGHT: document.etag, STALE: f'"{document.row_version + 7}"'}
        return {"If-Match": tags[match]} if match in tags else {}

    def made(self, client: Client, shown: dict[str, Any], requests: set[str]) -> Document:
        """Take a new document into the model."""
        document = Document(
            client.id, shown["id"], shown["original_name"], shown["mime_type"], shown["metadata"]
        )
        tell(document, "document.create", requests, None)
        self.living[client.id].append(document)
        self.world.run(self.world.look(client, document))
        return document

    # Documents

    @rule(
        target=documents,
        at=st.integers(0, 2),
        who=WHO,
        name=NAMES,
        mime=TYPES,
        metadata=METADATA,
        planned=FAILURES,
    )
    def create(
        self,
        at: int,
        *,
        who: int,
        name: str,
        mime: str,
        metadata: dict[str, Any],
        planned: Planned | None,
    ) -> Document:
        """I1, I2: with a key an unknown outcome is settled by asking again."""
        client, key = self.clients[at], self.world.request_id()
        body = {"original_name": name, "mime_type": mime, "metadata": metadata}
        sent = {"json": body, "headers": {"Idempotency-Key": key}}
        with self.world.failing(client, planned) as fault:
            first, answer = self.call(client, who, "POST", client.documents, **sent)
        requests = {first}
        if is_unknown(answer):
            assert fault is not None
            again, answer = self.call(client, who, "POST", client.documents, **sent)
            requests = {again if fault.how is How.BEFORE else first}
            self.world.tally[f"unknown: {fault.how.value}"] += 1
        assert answer.status_code == 201, answer.text
        self.replayed(client, who, sent, answer.json())
        document = self.made(client, answer.json(), requests)
        assert {name: document.shown[name] for name in body} == body
        return document

    def replayed(
        self, client: Client, who: int, sent: dict[str, Any], first: dict[str, Any]
    ) -> None:
        """The key answers the same again, and refuses another body."""
        _, again = self.call(client, who, "POST", client.documents, **sent)
        assert (again.status_code, again.json()) == (201, first)
        other = {**sent, "json": {**sent["json"], "original_name": "other"}}
        _, mismatch = self.call(client, who, "POST", client.documents, **other)
        refused(mismatch, (422, "idempotency_mismatch"))

    @rule(
        document=documents,
        who=WHO,
        match=MATCHES,
        body=PATCHES,
        keeping=st.none() | KEEPING,
        planned=FAILURES,
    )
    def patch(
        self,
        document: Document,
        *,
        who: int,
        match: str,
        body: dict[str, Any],
        keeping: dict[str, Any] | None,
        planned: Planned | None,
    ) -> None:
        body = {**body, **(keeping or {})}
        refusal = document.matched(match)
        # 403 comes after 404 and 428 in the order of refusals, and before 412.
        if keeping is not None and who == 1 and (refusal is None or refusal[0] == 412):
            refusal = (403, "forbidden")
        shrinks = body.get("retain_until", "9") < (document.retain_until or "")
        if refusal is None and shrinks:
            refusal = (409, "retained")

        if not deepcopy(document).patch(body):
            planned = None  # nothing changes: nobody could see whether its COMMIT was done

        def applied(_: dict[str, Any]) -> str:
            return "document.update" if document.patch(body) else ""

        sent = {"json": body, "headers": self.match(document, match)}
        self.change(document, (who, "PATCH", "", sent), refusal, applied, planned)

    @rule(document=documents, who=WHO, match=MATCHES, planned=FAILURES)
    def delete(self, document: Document, who: int, match: str, planned: Planned | None) -> None:
        def applied(_: dict[str, Any]) -> str:
            document.delete(deleted=True)
            return "document.delete"

        sent = {"headers": self.match(document, match)}
        asked = (who, "DELETE", "", sent)
        self.change(document, asked, document.matched(match), applied, planned)

    @rule(document=documents, who=WHO, planned=FAILURES)
    def restore(self, document: Document, who: int, planned: Planned | None) -> None:
        def applied(_: dict[str, Any]) -> str:
            document.delete(deleted=False)
            return "document.restore"

        absent = ABSENT if document.purged else (409, "conflict")
        refusal = None if document.deleted and not document.purged else absent
        self.change(document, (who, "POST", "/restore", {}), refusal, applied, planned)

    @rule(document=documents, who=WHO, planned=FAILURES)
    def purge(self, document: Document, who: int, planned: Planned | None) -> None:
        def applied(_: dict[str, Any]) -> str:
            document.purged = True
            return "document.purge"

        refusal = document.keeps()
        if who == 1 and not document.purged:
            refusal = (403, "forbidden")
        self.change(document, (who, "POST", "/purge", {}), refusal, applied, planned)

    def teardown(self) -> None:
        """Everything once more: documents, contents, audit."""
        for client in self.clients:
            for document in self.living[client.id]:
                self.world.run(self.world.look(client, document))
                self.world.run(self.world.check_audit(client, document))
                self.world.run(self.world.check_reads(client, document))
