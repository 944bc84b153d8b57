"""Tenants that write all the time: who was served when, and what must be there afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import uuid4

import httpx

from tests.acceptance.api import Tenant, connect, log_in, make_tenant
from tests.acceptance.fleet import LocalFleet, until

_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Write:
    """One try to make a document: when, and whether it was acknowledged."""

    name: str
    begun: float
    ended: float
    document: str | None


@dataclass(frozen=True)
class Outage:
    """From one acknowledged write to the next."""

    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


@dataclass
class Writers:
    """Threads that make documents in one tenant until they are told to stop."""

    tenant: Tenant
    tries: list[Write] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Write, one document after the other; a refusal is a result too."""
        while not self._stop.wait(_PAUSE_SECONDS):
            name, begun = f"{uuid4()}.txt", time.monotonic()
            body = {"original_name": name, "mime_type": "text/plain"}
            try:
                answer = self.tenant.http.post(self.tenant.documents, json=body)
                made = answer.json()["id"] if answer.status_code == httpx.codes.CREATED else None
            except httpx.TransportError:
                made = None
            self.tries.append(Write(name, begun, time.monotonic(), made))

    def stop(self) -> None:
        """Let every thread end after its present write."""
        self._stop.set()

    def acknowledged(self) -> list[Write]:
        """The writes that must be found from now on (I1)."""
        return [one for one in list(self.tries) if one.document]

    def seconds(self, *, since: float = 0.0, until: float) -> list[float]:
        """How long each write took that began and ended between these moments."""
        return [
            one.ended - one.begun
            for one in self.acknowledged()
            if since < one.begun and one.ended < until
        ]

    def await_tries(self, count: int) -> None:
        """Wait until so many writes have ended."""
        until(lambda: len(self.tries) >= count, seconds=60)

    def await_served(self, seconds: float) -> None:
        """Wait until a write that begins from now on is acknowledged."""
        since = time.monotonic()
        until(lambda: any(one.begun > since for one in self.acknowledged()), seconds)

    def outage(self, since: float) -> Outage:
        """The longest time after the moment in which nothing was acknowledged."""
        ends = sorted(one.ended for one in self.acknowledged() if one.ended > since)
        silences = (Outage(*pair) for pair in pairwise([since, *ends]))
        return max(silences, key=lambda one: one.seconds)

    def assert_nothing_lost(self) -> None:
        """Every acknowledged document is there, and no name twice (I1, I2)."""
        names = _names(self.tenant)
        assert len(names) == len(set(names)), "a write came twice"
        lost = [one for one in self.acknowledged() if one.name not in set(names)]
        assert not lost, f"{len(lost)} acknowledged writes are gone: {lost[:3]}"


@contextmanager
def writing(tenant: Tenant, threads: int = 4) -> Iterator[Writers]:
    """Writers at work for the length of the block."""
    writers = Writers(tenant)
    crew = [threading.Thread(target=writers.work, daemon=True) for _ in range(threads)]
    for one in crew:
        one.start()
    try:
        until(lambda: len(writers.acknowledged()) > threads)
        yield writers
    finally:
        writers.stop()
        for one in crew:
            one.join(timeout=30)


@contextmanager
def tenant_on(fleet: LocalFleet, shard: str) -> Iterator[Tenant]:
    """A tenant that the ring put on this shard; a few are made until it does."""
    with connect(fleet, log_in(fleet)) as admin:
        while True:
            for tenant in make_tenant(fleet, admin):
                placement = admin.get(f"/v1/clients/{tenant.id}/placement").json()
                if placement["shard"] == shard:
                    yield tenant
                    return


def _names(tenant: Tenant) -> list[str]:
    names: list[str] = []
    cursor: str | None = None
    while True:
        wanted = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
        answer = tenant.http.get(tenant.documents, params=wanted)
        assert answer.status_code == httpx.codes.OK, answer.text
        page = answer.json()
        names += [one["original_name"] for one in page["items"]]
        cursor = page.get("next_cursor")
        if not cursor:
            return names
