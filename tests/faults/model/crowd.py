"""Writers of every tenant, who go on whatever a history does besides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import uuid4

from tests.faults.model.beliefs import Tenant
from tests.faults.model.stage import Stage

PREFIX = "crowd-"
# Who moves is written to all the time, and the machine has work left for the moves.
_PAUSE_SECONDS = 0.2


@dataclass
class Crowd:
    """One writer for each tenant. `faults` is what they met that ought not to be."""

    stage: Stage
    faults: list[BaseException] = field(default_factory=list)
    _writers: dict[Tenant, asyncio.Task[None]] = field(default_factory=dict)
    _stopping: bool = False

    async def join(self, tenant: Tenant) -> None:
        """Begin to write for a tenant."""
        self._writers[tenant] = asyncio.create_task(self._keep(tenant))

    async def end(self) -> None:
        """Let each write be answered that is under way."""
        self._stopping = True
        if self._writers:
            await asyncio.wait(self._writers.values())

    async def leave(self) -> None:
        """End at once."""
        for task in self._writers.values():
            task.cancel()
        await self.end()

    async def _keep(self, tenant: Tenant) -> None:
        try:
            while not self._stopping:
                await self._write(tenant)
                await asyncio.sleep(_PAUSE_SECONDS)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.faults.append(error)

    async def _write(self, tenant: Tenant) -> None:
        """One document, sent twice at once: it is made once (I2), and seen by who has the token."""
        name, key = f"{PREFIX}{next(self.stage.numbers)}", uuid4().hex
        tenant.sent.add(name)
        body = {"original_name": name, "mime_type": "text/plain"}
        sent = {"json": body, "headers": {"Idempotency-Key": key}}
        refusals = set(tenant.refused_with())
        answers = await asyncio.gather(
            *(self.stage.insist(tenant.caller, "POST", tenant.path, **sent) for _ in range(2))
        )
        refusals |= set(tenant.refused_with())
        made = [answer for answer in answers if answer.status_code == 201]
        for answer in answers:
            assert answer.status_code in {201, *refusals}, (tenant.number, name, answer.text)
        ids = {answer.json()["id"] for answer in made}
        assert len(ids) <= 1, f"{name} was made twice: {ids}"
        if not made:
            return
        tenant.crowd[name] = ids.pop()
        self.stage.tally["writes acknowledged"] += 1
        await self._look(tenant, name, made[0].headers["Consistency-Token"])

    async def _look(self, tenant: Tenant, name: str, token: str) -> None:
        path, headers = f"{tenant.path}/{tenant.crowd[name]}", {"Consistency-Token": token}
        refusals = set(tenant.refused_with())
        answer = await self.stage.ask(tenant.caller, "GET", path, headers=headers)
        refusals |= set(tenant.refused_with())
        if answer.status_code == 200:
            assert answer.json()["original_name"] == name
        else:
            assert answer.status_code in refusals, (tenant.number, name, answer.text)
