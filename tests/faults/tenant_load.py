"""Readers and writers on every tenant, all the time, with a ledger of what was acknowledged.

They do what a careful caller does: a write that was not answered, or was answered by "not now",
is sent again with its Idempotency-Key; a read is simply sent again. What fails nevertheless is a
fault.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any
from uuid import uuid4

import httpx

_AGAIN = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}


@dataclass(frozen=True)
class Rhythm:
    """Seconds between a tenant's writes, and between its reads."""

    write: float = 0.1
    read: float = 0.2


@dataclass
class Ledger:
    """What one tenant's callers were told. Times are seconds of one clock."""

    client_id: str
    key: str = field(repr=False)
    trust: ssl.SSLContext | bool = True
    """Who may have signed the service's certificate."""
    patience_seconds: float = 10.0
    """How long a request is sent again before it counts as failed."""
    made: dict[str, str] = field(default_factory=dict)
    """Ids by name of documents whose making was acknowledged."""
    counter: str = ""
    """The document that is changed again and again."""
    counted: int = 0
    """The last change of it that was acknowledged."""
    acknowledged: list[float] = field(default_factory=list)
    reads: int = 0
    again: Counter[str] = field(default_factory=Counter)
    """Requests that were sent again, by why."""
    faults: list[str] = field(default_factory=list)

    @property
    def documents(self) -> str:
        return f"/v1/clients/{self.client_id}/documents"

    def longest_gap(self, since: float, until: float) -> float:
        """Seconds from one acknowledged write to the next within these moments, at most."""
        there = [at for at in self.acknowledged if since <= at <= until]
        return max((after - before for before, after in pairwise(there)), default=0.0)


class _Fault(Exception):
    """A request failed for good."""


@dataclass
class Load:
    """Callers at work in a thread of their own."""

    api: str
    ledgers: Sequence[Ledger]
    rhythm: Rhythm = field(default_factory=Rhythm)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Work until told to stop."""
        asyncio.run(self._work())

    def stop(self) -> None:
        """Let every caller end behind its present request."""
        self._stop.set()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for ledger in self.ledgers:
                group.create_task(self._caller(ledger))

    async def _caller(self, ledger: Ledger) -> None:
        async with _connected(self.api, ledger) as http:
            try:
                await self._begin(http, ledger)
                await asyncio.gather(self._writer(http, ledger), self._reader(http, ledger))
            except _Fault as fault:
                ledger.faults.append(str(fault))

    async def _begin(self, http: httpx.AsyncClient, ledger: Ledger) -> None:
        ledger.counter = await _make(http, ledger, "counter.txt")

    async def _writer(self, http: httpx.AsyncClient, ledger: Ledger) -> None:
        for number in count(1):
            if self._stop.is_set():
                return
            if number % 3:
                await _make(http, ledger, f"{uuid4()}.txt")
            else:
                await _change(http, ledger, number)
            await asyncio.sleep(self.rhythm.write)

    async def _reader(self, http: httpx.AsyncClient, ledger: Ledger) -> None:
        while not self._stop.is_set():
            name, document = random.choice(list(ledger.made.items()))
            path = f"{ledger.documents}/{document}"
            answer = await _sent(ledger, lambda path=path: http.get(path))
            if answer.json()["original_name"] != name:
                raise _Fault(f"{path} was read as {answer.text}")
            ledger.reads += 1
            await asyncio.sleep(self.rhythm.read)


async def _make(http: httpx.AsyncClient, ledger: Ledger, name: str) -> str:
    body = {"original_name": name, "mime_type": "text/plain"}
    headers = {"Idempotency-Key": str(uuid4())}
    answer = await _sent(
        ledger, lambda: http.post(ledger.documents, json=body, headers=headers), writes=True
    )
    document = str(answer.json()["id"])
    ledger.made[name] = document
    return document


async def _change(http: httpx.AsyncClient, ledger: Ledger, number: int) -> None:
    path = f"{ledger.documents}/{ledger.counter}"
    known = await _sent(ledger, lambda: http.get(path))
    if known.json()["metadata"].get("number", 0) != ledger.counted:
        raise _Fault(f"{known.json()['metadata']} was read, {ledger.counted} was acknowledged")
    headers = {"Idempotency-Key": str(uuid4()), "If-Match": known.headers["ETag"]}
    body: dict[str, Any] = {"metadata": {"number": number}}
    await _sent(ledger, lambda: http.patch(path, json=body, headers=headers), writes=True)
    ledger.counted = number


async def _sent(ledger: Ledger, send: Any, *, writes: bool = False) -> httpx.Response:
    """The answer to a request that is sent until it has one; raises _Fault otherwise."""
    begun = time.monotonic()
    while True:
        try:
            answer: httpx.Response = await send()
        except httpx.TransportError as error:
            why = type(error).__name__
        else:
            if answer.is_success:
                if writes:
                    ledger.acknowledged.append(time.monotonic())
                return answer
            why = f"{answer.status_code} {answer.json().get('code')}"
            temporary = answer.status_code in _AGAIN or why.endswith("idempotency_in_progress")
            if not temporary:
                raise _Fault(f"{answer.request.method} {answer.request.url.path}: {answer.text}")
        ledger.again[why] += 1
        if time.monotonic() - begun > ledger.patience_seconds:
            raise _Fault(f"not answered within {ledger.patience_seconds:.0f} s: {why}")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _connected(api: str, ledger: Ledger) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {ledger.key}"}
    async with httpx.AsyncClient(
        base_url=api, headers=headers, timeout=20, trust_env=False, verify=ledger.trust
    ) as http:
        yield http


@contextmanager
def under_load(api: str, ledgers: Sequence[Ledger], rhythm: Rhythm | None = None) -> Iterator[Load]:
    """Callers of all these tenants at work for the length of the block."""
    load = Load(api, ledgers, rhythm or Rhythm())
    thread = threading.Thread(target=load.run, daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        thread.join(timeout=60)


def lost_or_doubled(api: str, ledger: Ledger) -> list[str]:
    """What is not there exactly once of all that was acknowledged (I1, I2)."""
    headers = {"Authorization": f"Bearer {ledger.key}"}
    with httpx.Client(
        base_url=api, headers=headers, timeout=20, trust_env=False, verify=ledger.trust
    ) as http:
        there = Counter(_names(http, ledger))
        last = http.get(f"{ledger.documents}/{ledger.counter}").raise_for_status().json()
    found = [f"{name} is there {there[name]} times" for name in ledger.made if there[name] != 1]
    found += [f"{name} was never made" for name in there if name not in ledger.made]
    if last["metadata"].get("number", 0) != ledger.counted:
        found.append(f"the counter is {last['metadata']}, {ledger.counted} was acknowledged")
    return found


def _names(http: httpx.Client, ledger: Ledger) -> Iterator[str]:
    cursor: str | None = None
    while True:
        wanted = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
        page = http.get(ledger.documents, params=wanted).raise_for_status().json()
        yield from (one["original_name"] for one in page["items"])
        cursor = page.get("next_cursor")
        if not cursor:
            return
