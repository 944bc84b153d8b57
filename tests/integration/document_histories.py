"""The rest of a history's steps: batches, and many callers at once."""

import asyncio
from typing import Any

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.integration.document_machine import (
    FAILURES,
    NAMES,
    WHO,
)
from tests.integration.document_model import Content, Document, Told
from tests.integration.document_reading import ReadingMachine
from tests.integration.document_world import Client, Planned, is_unknown, tell

PUT, PATCH, PROMOTE, DELETE = "put", "patch", "promote", "delete"
ITEMS = st.lists(st.sampled_from(["create", "update", "delete", "restore"]), min_size=1, max_size=4)


class DocumentHistories(ReadingMachine):
    """All operations on documents."""

    documents = ReadingMachine.documents

    @rule(at=st.integers(0, 2), who=WHO, kinds=ITEMS, name=NAMES, planned=FAILURES)
    def batch(
        self, at: int, who: int, kinds: list[str], name: str, planned: Planned | None
    ) -> None:
        """Each item for itself; sent again with its key, it creates nothing twice (I2)."""
        client = self.clients[at]
        targets = iter([one for one in self.living[client.id] if not one.purged])
        items: list[tuple[dict[str, Any], Document | None]] = []
        for kind in kinds:
            target = None if kind == "create" else next(targets, None)
            if kind == "create":
                items.append(
                    ({"operation": kind, "original_name": name, "mime_type": "text/plain"}, None)
                )
            elif target is not None:
                item = {"operation": kind, "document_id": target.id}
                more = {} if kind == "restore" else {"if_match": target.etag}
                name_too = {"original_name": name} if kind == "update" else {}
                items.append((item | more | name_too, target))
        if not items:
            return
        # What may be said again is what creates: other items would find themselves stale.
        risky = planned if all(target is None for _, target in items) else None
        sent = {
            "json": {"operations": [item for item, _ in items]},
            "headers": {"Idempotency-Key": self.world.request_id()},
        }
        path = f"{client.documents}:batch"
        with self.world.failing(client, risky):
            first, answer = self.call(client, who, "POST", path, **sent)
        assert answer.status_code == 200, answer.text
        requests = {first}
        if any(one["status"] == 503 for one in answer.json()["results"]):
            again, answer = self.call(client, who, "POST", path, **sent)
            requests |= {again}
        for (item, target), result in zip(items, answer.json()["results"], strict=True):
            self.settle(client, item, target, result, requests)

    def settle(
        self,
        client: Client,
        item: dict[str, Any],
        target: Document | None,
        result: dict[str, Any],
        requests: set[str],
    ) -> None:
        """One item of a batch, done in the model too."""
        if target is None:
            assert result["status"] == 201, result
            self.made(client, result["document"], requests)
            return
        kind, before = item["operation"], target.image()
        if target.deleted != (kind == "restore"):
            refusal = (409, "conflict") if kind == "restore" else (404, "not_found")
            assert (result["status"], result["error"]["code"]) == refusal
            return
        assert result["status"] == {"update": 200, "delete": 204, "restore": 200}[kind], result
        if kind == "update":
            changed = target.patch({"original_name": item["original_name"]})
        else:
            target.delete(deleted=kind == "delete")
            changed = True
        if changed:
            tell(target, f"document.{kind}", requests, before)
        self.world.run(self.world.look(client, target))

    @rule(
        document=documents,
        kinds=st.lists(st.sampled_from([PUT, PUT, PATCH, PROMOTE, DELETE]), min_size=2, max_size=6),
        planned=FAILURES,
    )
    def at_once(self, document: Document, kinds: list[str], planned: Planned | None) -> None:
        """Side by side on one document: each acknowledged change is there once, numbers are dense,
        and of all that saw the same ETag one at most has won (I1, I5, I7)."""
        client = self.of(document)
        if document.living() or not document.versions:
            return
        calls = {self.world.request_id(): (n, kind) for n, kind in enumerate(kinds)}
        with self.world.failing(client, planned):
            answers = self.world.run(self.together(client, document, calls))
        rows = self.world.run(self.world.audited(client, entity_id=document.id))
        applied = [row["request_id"] for row in rows if row["request_id"] in calls]
        assert len(applied) == len(set(applied)), "one row for each change"
        for request_id, answer in answers.items():
            if not is_unknown(answer):
                assert answer.is_success == (request_id in applied), (kinds, answer.text)
                assert answer.is_success or answer.status_code in {404, 412}, answer.text
            self.world.tally["unknown, side by side"] += is_unknown(answer)
        self.world.tally["calls side by side"] += len(calls)
        self.reconcile(client, document, calls, set(applied))

    async def together(
        self, client: Client, document: Document, calls: dict[str, tuple[int, str]]
    ) -> dict[str, httpx.Response]:
        async def one(request_id: str, number: int, kind: str) -> httpx.Response:
            caller, path = client.callers[number % 2], client.path(document)
            headers = {"Request-Id": request_id, "If-Match": document.etag}
            match kind:
                case "put":
                    data = request_id.encode()
                    return await caller.put(f"{path}/content", content=data, headers=headers)
                case "patch":
                    body = {"metadata": {"a": 100 + int(request_id.rpartition("-")[2])}}
                    return await caller.patch(path, json=body, headers=headers)
                case "promote":
                    return await caller.post(f"{path}/versions/1/promote", headers=headers)
                case _:
                    return await caller.delete(path, headers=headers)

        answers = await asyncio.gather(*(one(name, *call) for name, call in calls.items()))
        return dict(zip(calls, answers, strict=True))

    def reconcile(
        self,
        client: Client,
        document: Document,
        calls: dict[str, tuple[int, str]],
        applied: set[str],
    ) -> None:
        """Tell the model what happened, in the one order that explains it; then compare all."""
        winners = [name for name in applied if calls[name][1] != PUT]
        puts = {name.encode(): name for name in applied - set(winners)}
        assert len(winners) <= 1, "compare and set"
        assert winners or puts, "one cut stops one call"
        mime, first = document.mime_type, document.versions[0]
        for name in winners:
            kind = calls[name][1]
            if kind == PATCH:
                document.patch({"metadata": {"a": 100 + int(name.rpartition("-")[2])}})
            elif kind == PROMOTE:
                document.add(first)
                mime = first.mime_type
            else:
                document.delete(deleted=True)
                assert not puts, "nothing is put into a deleted document"
            action = {
                PATCH: "document.update",
                PROMOTE: "version.create",
                DELETE: "document.delete",
            }
            document.told.append(Told(action[kind], frozenset({name})))
        if puts:
            path = f"{client.path(document)}/versions"
            _, listed = self.call(client, 0, "GET", path, params={"limit": len(puts)})
            by_digest = {Content(data, mime).sha256: data for data in puts}
            for shown in reversed(listed.json()["items"]):
                data = by_digest.pop(shown["checksum_sha256"])
                document.add(Content(data, shown["mime_type"]))
                assert shown["version_number"] == len(document.versions)
                document.told.append(Told("version.create", frozenset({puts[data]})))
        self.world.run(self.world.look(client, document))
