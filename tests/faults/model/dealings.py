"""How a tenant asks and is answered: what steps of tenants are made of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import httpx

from tests.faults.model.beliefs import PREFIX, Tenant
from tests.faults.model.machine import HistoryMachine, nth
from tests.faults.model.stage import is_unknown
from tests.integration.document_model import Document, comparable


@dataclass(frozen=True)
class Change:
    """A change of a document. `done_already`: what the same request is answered when it was made
    before; that settles an outcome that nobody knew."""

    method: str
    below: str
    action: str
    done_already: Collection[int]
    sent: dict[str, Any]


class Dealings(HistoryMachine):
    """Changes whose outcome is found out, and what is compared with the model."""

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
