"""The scenario: readers and writers over the demo tenants. Locust loads this file.

`loadtests.run` starts it and says by DOCSHARD_LOAD_SCENARIO where the tenants are written and by
DOCSHARD_LOAD_RESULTS where the results go. Every answer that is not what the contract promises
is a failure, stale reads and doubled creations too.
"""

import os
import random
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from locust import FastHttpUser, between, events, task
from locust.contrib.fasthttp import ResponseContextManager
from locust.env import Environment

from loadtests.results import Failure, Operation, Results
from loadtests.tenants import MARK, Scenario, Tenant

SCENARIO = Scenario.model_validate_json(Path(os.environ["DOCSHARD_LOAD_SCENARIO"]).read_bytes())
READABLE = [tenant for tenant in SCENARIO.tenants if tenant.documents]
CONTENT = b"A line of a document under load.\n" * 200
MOST_OWN = 10


@dataclass(frozen=True, slots=True)
class Own:
    """A document that this user made, which nobody else touches, so its ETag is ours to know."""

    tenant: Tenant
    document_id: UUID
    etag: str
    token: str


class TenantUser(FastHttpUser):
    """Calls of one of the tenants' programs."""

    abstract = True
    wait_time = between(0.02, 0.1)

    @contextmanager
    def call(
        self, name: str, expected: int, tenant: Tenant, method: str, path: str, **more: Any
    ) -> Iterator[ResponseContextManager]:
        """One request below the tenant's address; any other status is a failure."""
        headers = {"Authorization": f"Bearer {tenant.key}", **more.pop("headers", {})}
        url = f"/v1/clients/{tenant.client_id}/{path}"
        with self.client.request(
            method, url, name=name, headers=headers, catch_response=True, **more
        ) as response:
            if response.status_code != expected:
                _fail(response, f"{response.status_code}: {(response.text or '')[:200]}")
            yield response


class Reader(TenantUser):
    """Looks at what is there."""

    weight = 3

    @task(10)
    def get_document(self) -> None:
        """One document."""
        tenant, document = _any_document()
        with self.call("get document", 200, tenant, "GET", f"documents/{document}"):
            pass

    @task(3)
    def list_documents(self) -> None:
        """One page."""
        tenant = _any_tenant()
        with self.call("list documents", 200, tenant, "GET", "documents?limit=20"):
            pass

    @task(2)
    def list_audit_logs(self) -> None:
        """One page."""
        tenant = _any_tenant()
        with self.call("list audit logs", 200, tenant, "GET", "audit-logs?limit=20"):
            pass

    @task(2)
    def get_content_through_the_router(self) -> None:
        """The bytes, streamed."""
        tenant, document = _any_document()
        path = f"documents/{document}/content?proxy=true"
        with self.call("get content, proxied", 200, tenant, "GET", path):
            pass

    @task(2)
    def get_content_from_storage(self) -> None:
        """The bytes from a presigned address, which must not see our key."""
        tenant, document = _any_document()
        with self.call(
            "get content, address",
            307,
            tenant,
            "GET",
            f"documents/{document}/content",
            allow_redirects=False,
        ) as response:
            address = _header(response, "Location")
        if address:
            self.client.get(address, name="get content, storage")


class Writer(TenantUser):
    """Makes documents, works on them, deletes the oldest; reads back what it wrote."""

    weight = 1
    own: deque[Own]

    def on_start(self) -> None:
        """Begin with nothing."""
        self.own = deque()

    def on_stop(self) -> None:
        """Leave nothing behind."""
        while self.own:
            self.delete_oldest()

    @task(4)
    def create_document(self) -> None:
        """A document with content; one in four creations is sent twice, as a retry would be."""
        tenant = _any_tenant()
        headers = {"Idempotency-Key": str(uuid4())}
        body = {
            "original_name": f"note {uuid4().hex[:8]}.txt",
            "mime_type": "text/plain",
            "metadata": {MARK: True},
        }
        made = self._create("create document", tenant, headers, body)
        if made and random.random() < 0.25:
            again = self._create("create, repeated", tenant, headers, body)
            made = made if again is None or again.document_id == made.document_id else None
            if made is None:
                self._complain("create, repeated", "I2: the repeated creation made another one")
        if made:
            self._put(made)
        if len(self.own) > MOST_OWN:
            self.delete_oldest()

    @task(3)
    def update_document(self) -> None:
        """Read with the token, then merge metadata; a stale read would lose to If-Match."""
        if not self.own:
            return
        own = self.own[0]
        self.own.rotate(-1)
        etag = self._read_back(own)
        if etag is None:
            return
        with self.call(
            "update document",
            200,
            own.tenant,
            "PATCH",
            f"documents/{own.document_id}",
            headers={"If-Match": etag},
            json={"metadata": {"number": random.randrange(1_000_000)}},
        ) as response:
            if response.status_code == 200:
                self.own[-1] = _own(own.tenant, own.document_id, response)

    @task(2)
    def put_content(self) -> None:
        """The next version of a document."""
        if self.own:
            self._put(self.own.popleft())

    def delete_oldest(self) -> None:
        """Delete what was made first, with its present ETag."""
        own = self.own.popleft()
        etag = self._read_back(own)
        headers = {"If-Match": etag or ""}
        path = f"documents/{own.document_id}"
        with self.call("delete document", 204, own.tenant, "DELETE", path, headers=headers):
            pass

    def _create(
        self, name: str, tenant: Tenant, headers: dict[str, str], body: dict[str, Any]
    ) -> Own | None:
        with self.call(name, 201, tenant, "POST", "documents", headers=headers, json=body) as made:
            if made.status_code != 201:
                return None
            return _own(tenant, UUID(made.json()["id"]), made)

    def _put(self, own: Own) -> None:
        """Store a version and keep the document among our own, its ETag unknown now."""
        with self.call(
            "put content",
            201,
            own.tenant,
            "PUT",
            f"documents/{own.document_id}/content",
            headers={"Content-Type": "text/plain"},
            data=CONTENT[: random.randrange(1, len(CONTENT))],
        ) as response:
            if response.status_code == 201:
                own = Own(own.tenant, own.document_id, "", _token(response))
        self.own.append(own)

    def _read_back(self, own: Own) -> str | None:
        """The ETag as a read with our Consistency-Token sees it; it must know our last write."""
        headers = {"Consistency-Token": own.token} if own.token else {}
        path = f"documents/{own.document_id}"
        with self.call(
            "get own document", 200, own.tenant, "GET", path, headers=headers
        ) as response:
            if response.status_code != 200:
                return None
            etag = _header(response, "ETag")
            if own.etag and etag != own.etag:
                _fail(response, "I1: the read did not see the write before it")
            return etag

    def _complain(self, name: str, what: str) -> None:
        self.environment.events.request.fire(
            request_type="CHECK",
            name=name,
            response_time=0,
            response_length=0,
            exception=AssertionError(what),
            context={},
        )


def _fail(response: ResponseContextManager, why: str) -> None:
    response.failure(why)  # type: ignore[no-untyped-call]  # locust gives it no types


def _any_tenant() -> Tenant:
    return random.choices(SCENARIO.tenants, SCENARIO.weights)[0]


def _any_document() -> tuple[Tenant, UUID]:
    tenant = random.choices(READABLE, SCENARIO.weights[: len(READABLE)])[0]
    return tenant, random.choice(tenant.documents)


def _own(tenant: Tenant, document_id: UUID, response: ResponseContextManager) -> Own:
    return Own(tenant, document_id, _header(response, "ETag"), _token(response))


def _token(response: ResponseContextManager) -> str:
    return _header(response, "Consistency-Token")


def _header(response: ResponseContextManager, name: str) -> str:
    return "" if response.headers is None else str(response.headers.get(name, ""))


@events.quitting.add_listener  # type: ignore[untyped-decorator]  # locust gives it no types
def write_results(environment: Environment, **_: Any) -> None:
    """Hand the run's figures to the process that started it."""
    stats = environment.stats
    results = Results(
        seconds=(stats.total.last_request_timestamp or 0) - stats.total.start_time,
        operations=tuple(
            Operation(
                name=entry.name,
                requests=entry.num_requests,
                failures=entry.num_failures,
                slowest=entry.max_response_time,
                times=entry.response_times,
            )
            for entry in stats.entries.values()
        ),
        failures=tuple(
            Failure(operation=e.name, error=str(e.error), seen=e.occurrences)
            for e in stats.errors.values()
        ),
    )
    Path(os.environ["DOCSHARD_LOAD_RESULTS"]).write_text(results.model_dump_json())
