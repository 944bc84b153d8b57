"""The end of a history: faults are mended, moves end, and everything is compared."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

from services.fleet import doctor, rebalances
from services.fleet.audit_links import link_shard
from services.fleet.invariants.proof import Rule, Scope, Sources, prove
from services.fleet.moving import switch
from services.move_settings import MoveSettings
from shards.tables import TENANT_TABLES
from tests.faults.model.ambush import DRAWN, Ambush
from tests.faults.model.beliefs import ACTIVE, PREFIX, Tenant
from tests.faults.model.fault_rules import FaultRules
from tests.faults.model.machine import noted
from tests.faults.model.operator_rules import LIVING, OperatorRules
from tests.faults.model.tenant_rules import CONTENTS, TenantRules
from tests.integration.move_desk import Desk, unsettled

_END_SECONDS = 120.0
_PROOFS = 5


class FleetHistories(TenantRules, OperatorRules, FaultRules):
    """Every step that there is."""

    def set_up(self, lively: int) -> None:
        """Everybody has a document, and the first of them are on the move; in every other history
        something waits for them at the switch."""
        super().set_up(lively)
        for n, tenant in enumerate(self.beliefs.tenants):
            self.make(tenant, n, n)
            self.add_version(tenant, tenant.documents[0], CONTENTS[n])
        if not lively % 2:
            chance = random.Random(lively)
            step, deed = chance.choice(switch.STEPS), chance.choice(DRAWN)
            self.ambushes.lay(Ambush(step, chance.random() < 0.5, deed))
        first = [tenant.id for tenant in self.beliefs.tenants]
        self.move_them(first[:2], 0)
        self.move_them(first[2:3], 1)

    @noted
    def settle(self) -> None:
        """Moves end, their graces as well."""
        self.let_moves_end()

    def close(self) -> None:
        self.ambushes.clear()
        self.stage.mend()
        self.crew.thaw()
        self.stage.run(self.quiet(), _END_SECONDS + 30)
        self.let_moves_end()
        self.stage.run(self.crowd.end())
        for tenant in self.beliefs.tenants:
            self.become(tenant, ACTIVE)
        self.agree()
        for tenant in self.beliefs.tenants:
            self.check_tenant(tenant)
        self.check_homes()
        self.check_fleet()

    async def quiet(self) -> None:
        """Outages that were begun have ended."""
        await asyncio.gather(*self.stage.outages)

    def let_moves_end(self) -> None:
        """Whatever was ordered ends, though nobody looks after it; each state in bounded time.
        Then everybody is home, before any caller loses patience."""
        if self.stage.directory("SELECT FROM docshard.rebalances WHERE state = 'paused'"):
            assert self.order("resume", rebalances.resume(self.stage.operator, None)) is not None
        loop, seen = self.stage.grounds.loop, ""
        while True:
            self.hear()
            self.end_graces()
            moves = self.stage.moves()
            living = [move for move in moves if move["state"] in LIVING]
            left = self.stage.directory(
                "SELECT id FROM docshard.leftovers WHERE removed_at IS NULL"
            )
            running = self.stage.directory(
                "SELECT id FROM docshard.rebalances WHERE state IN ('planned', 'running')"
            )
            if not (living or left or running):
                break
            now = str([(move["id"], move["state"]) for move in moves] + left + running)
            if now != seen:
                seen, deadline = now, loop.time() + _END_SECONDS
            assert loop.time() < deadline, ("these do not end", living, left, running)
            self.stage.run(asyncio.sleep(0.1))
        for move in self.stage.moves():
            self.tally[f"moves {move['state']}"] += 1
        self.check_homes()

    def check_tenant(self, at: Tenant) -> None:
        """I1, I2, I5, I7, I8: everything that was acknowledged, once; nothing else."""
        for creation in at.creations:
            self.replay(at, creation)
        for one in at.documents:
            self.look(at, one)
            self.look_into(at, one)
            self.check_audit(at, one)
        found = self.listed(at, {"limit": 200, "deleted": "include"})
        assert found is not None
        self.check_crowd(at, at.crowd, found)
        numbers = {one["id"]: one["metadata"].get("n") for one in found}
        for count in at.counts:
            assert numbers[str(count.document)] == count.number, (at.number, count)
        ours = {one["id"] for one in found if not one["original_name"].startswith(PREFIX)}
        assert ours == {one.id for one in at.documents if not one.purged}
        rows = self.audited(at, {"action": "document.create"})
        made = [row["entity_id"] for row in rows]
        assert sorted(made) == sorted({one["id"] for one in found} | {d.id for d in at.documents})

    def check_homes(self) -> None:
        """I3, I6: one owner each, open where the directory says, and rows nowhere else."""
        residencies, placements = self.stage.residencies(), self.stage.placements()
        for tenant in self.beliefs.tenants:
            placed, seen = placements[tenant.id], residencies[tenant.id]
            left = {state for shard, (_, state) in seen.items() if shard != placed.shard}
            at_home = seen.get(placed.shard) == (placed.epoch, "open") and left <= {"gone"}
            assert at_home, (tenant.number, placed, seen)
        for name, database in self.stage.shards.items():
            homed = {t for t, placed in placements.items() if placed.shard == name}
            for table in TENANT_TABLES:
                rows = self.stage.rows(database, f"SELECT client_id FROM docshard.{table.name}")  # noqa: S608  # names are those of our own tables
                assert {str(row["client_id"]) for row in rows} <= homed, (name, table.name)

    def check_fleet(self) -> None:
        """Moves left nothing; the doctor has nothing to say, and proves what can be proven."""
        found = self.stage.run(self.examined())
        assert found == [], found

    async def examined(self) -> list[Any]:
        operator, mover = self.stage.operator, self.stage.mover
        # The first to use a connection that was cut hears of it only then.
        for data in (operator, mover, self.stage.worker):
            await self.settled(data.registry.refresh)
        for name in self.stage.shards:
            cluster = self.stage.worker.registry.cluster(name)
            await self.settled(partial(link_shard, cluster))
        left = await unsettled(Desk(self.stage.fleet, mover, MoveSettings()))
        general = (await doctor.examine(operator)).findings
        held = self.stage.service.resources
        sources = Sources(operator, mover, held.blobs, held.secrets.keyring)
        scope = Scope(settled=True, reads_blobs=True, staleness=None)
        for _ in range(_PROOFS):
            proven = await prove(sources, scope)
            # Who was too busy to answer is asked again; what was found stands.
            if {finding.rule for finding in proven.findings} != {Rule.UNVERIFIED}:
                break
        self.tally["tenants proven"] += proven.tenants
        return [*left, *general, *proven.findings]
