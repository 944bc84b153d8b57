"""The end of a history: faults are mended, moves end, and everything is compared."""

from __future__ import annotations

import asyncio
from typing import Any

from services.fleet import doctor, placement_examination, rebalances
from services.fleet.audit_links import link_clients
from services.move_settings import MoveSettings
from shards.tables import TENANT_TABLES
from tests.faults.model.beliefs import ACTIVE, Tenant
from tests.faults.model.crowd import PREFIX
from tests.faults.model.fault_rules import FaultRules
from tests.faults.model.operator_rules import LIVING, OperatorRules
from tests.faults.model.tenant_rules import TenantRules
from tests.integration.move_desk import Desk, unsettled

_END_SECONDS = 120.0


class FleetHistories(TenantRules, OperatorRules, FaultRules):
    """Every step that there is."""

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
        """Whatever was ordered ends, in bounded time, though nobody looks after it."""
        if self.stage.directory("SELECT FROM docshard.rebalances WHERE state = 'paused'"):
            assert self.order("resume", rebalances.resume(self.stage.operator, None)) is not None
        loop, ended = self.stage.grounds.loop, False
        deadline = loop.time() + _END_SECONDS
        while not ended:
            self.end_graces()
            living = [move for move in self.stage.moves() if move["state"] in LIVING]
            left = self.stage.directory("SELECT FROM docshard.leftovers WHERE removed_at IS NULL")
            running = self.stage.directory(
                "SELECT FROM docshard.rebalances WHERE state IN ('planned', 'running')"
            )
            ended = not (living or left or running)
            assert loop.time() < deadline, ("these do not end", living, left, running)
            self.stage.run(asyncio.sleep(0.1))
        for move in self.stage.moves():
            self.tally[f"moves {move['state']}"] += 1

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
            assert seen.pop(placed.shard) == (placed.epoch, "open"), (tenant.number, placed, seen)
            assert {state for _, state in seen.values()} <= {"gone"}, (tenant.number, seen)
        for name, database in self.stage.shards.items():
            homed = {t for t, placed in placements.items() if placed.shard == name}
            for table in TENANT_TABLES:
                rows = self.stage.rows(database, f"SELECT client_id FROM docshard.{table.name}")  # noqa: S608  # names are those of our own tables
                assert {str(row["client_id"]) for row in rows} <= homed, (name, table.name)

    def check_fleet(self) -> None:
        """Moves left nothing; chains can be linked; the doctor has nothing to say."""
        found = self.stage.run(self.examined())
        assert found == [], found

    async def examined(self) -> list[Any]:
        mover = self.stage.mover
        await mover.registry.refresh()
        await self.stage.operator.registry.refresh()
        for name in self.stage.shards:
            cluster = mover.registry.cluster(name)
            await link_clients(cluster, [])
        left = await unsettled(Desk(self.stage.fleet, mover, MoveSettings()))
        general = (await doctor.examine(self.stage.operator)).findings
        placed = (await placement_examination.examine(mover)).findings()
        return [*left, *general, *placed]
