"""Figures of the whole fleet: moves, chains, months of audit logs, restore points, backups.

One worker gathers them under a lease, so that each is asked for once, whoever else runs. Who loses
the lease stops telling them soon: two workers that told them would contradict each other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

from global_db import chain as global_chain
from global_db import moves, partitions
from global_db.archiving import Archiving, archiving
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from global_db.moves import Move
from services.errors import ServiceError
from services.exposition.family import Family, gauge
from services.fleet import backup_figures
from services.fleet.backup_ages import newest_backups
from services.fleet.backup_figures import BackupState
from services.fleet.blob_canaries import newest_copied
from services.fleet.drills import history as drills
from services.fleet.move_overview import STATES, is_unattended
from services.fleet.restore_points import list_points
from services.resources import Data
from services.settings import Settings
from shards import chain
from shards.registry import ShardBehind

_log = logging.getLogger(__name__)
EVERY_SECONDS: Final = 15.0
VALID_SECONDS: Final = 60.0
"""Figures that are older are told no more."""
_BACKUPS_SECONDS: Final = 300.0
_LIVING: Final = STATES[:-2]


@dataclass(frozen=True, slots=True)
class ClusterState:
    """One cluster: since when its oldest audit row waits for its link, None where none waits; how
    many months are made ahead; how many months have rows in DEFAULT; what becomes of its WAL."""

    name: str
    waiting_since: datetime | None
    months_ahead: int
    stray_months: int
    archiving: Archiving | None = None


@dataclass(frozen=True, slots=True)
class FleetState:
    """What was found at `now`; `backups` None where none are configured."""

    now: datetime
    moves: Sequence[Move]
    clusters: Sequence[ClusterState]
    backups: BackupState | None = None


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the buckets say, which are asked less often."""

    backups: Mapping[str, datetime | None] = field(default_factory=dict)
    copied_at: datetime | None = None


@dataclass
class FleetFigures:
    """The state of the fleet as one worker found it last."""

    data: Data
    settings: Settings
    _state: FleetState | None = None
    _found_at: float = 0.0
    _stored: _Stored = field(default_factory=_Stored)
    _stored_due: float = field(default=0.0)

    async def run(self) -> None:
        """Look at everything. What does not answer is left out; others tell that it is away."""
        async with self.data.global_db.read() as connection:
            living = await moves.living(connection)
        looked = await asyncio.gather(*(self._look(cluster) for cluster in self._clusters()))
        clusters = [one for one in looked if one is not None]
        backups = await self._backups(clusters) if self._configured else None
        self._state = FleetState(datetime.now(UTC), living, clusters, backups)
        self._found_at = time.monotonic()

    def families(self) -> list[Family]:
        """As Prometheus reads them; none where nothing was looked at of late."""
        if self._state is None or time.monotonic() - self._found_at > VALID_SECONDS:
            return []
        return [*families(self._state)]

    @property
    def _configured(self) -> bool:
        return self.settings.backup.configured

    async def _look(self, cluster: Cluster) -> ClusterState | None:
        oldest = (
            global_chain.waiting_since if cluster is self.data.global_db else chain.oldest_queued
        )
        try:
            async with cluster.read() as connection:
                since = await oldest(connection)
                months = await partitions.months(connection)
                stray = await partitions.stray(connection)
                archived = await archiving(connection)
        except ClusterError as error:
            _log.info("%s is looked at later: %s", cluster.name, error)
            return None
        attached = [one.month for one in months if one.attached]
        ahead = months_ahead(attached, datetime.now(UTC).date())
        return ClusterState(cluster.name, since, ahead, len(stray), archived)

    def _clusters(self) -> Iterator[Cluster]:
        yield self.data.global_db
        for shard in self.data.registry.shards():
            with suppress(ShardBehind):  # what is asked of it may not be there yet
                yield self.data.registry.cluster(shard.name)

    async def _backups(self, clusters: Sequence[ClusterState]) -> BackupState:
        points = await list_points(self.data, 1)
        await self._look_into_buckets()
        shards = self.data.registry.shards()
        since = {one.name: one.created_at for one in shards}
        if shards:
            since["global"] = min(since.values())
        return BackupState(
            pointed_at=points[0].created_at if points else None,
            backups=self._stored.backups,
            copied_at=self._stored.copied_at,
            archiving={one.name: one.archiving for one in clusters if one.archiving is not None},
            drills=await drills.last_of_each(self.data),
            well_drilled_at=since | await drills.last_good(self.data),
        )

    async def _look_into_buckets(self) -> None:
        if time.monotonic() < self._stored_due:
            return
        try:
            found = await newest_backups(self.settings)
            self._stored = _Stored(found, await newest_copied(self.settings))
        except ServiceError as error:
            _log.warning("backups are looked for later: %s", error)
        self._stored_due = time.monotonic() + _BACKUPS_SECONDS


def months_ahead(attached: Sequence[date], today: date) -> int:
    """How many months behind the present one have a table, without a gap."""
    known, ahead = {(month.year, month.month) for month in attached}, 0
    year, month = today.year, today.month
    while True:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        if (year, month) not in known:
            return ahead
        ahead += 1


def families(state: FleetState) -> Iterator[Family]:
    """The figures of a state. Pure."""
    yield from _moves(state)
    yield gauge(
        "docshard_audit_chain_delay_seconds",
        "How long the oldest audit row has waited for its link.",
        (({"shard": one.name}, _age(state.now, one.waiting_since) or 0) for one in state.clusters),
        "max",
    )
    yield gauge(
        "docshard_audit_months_ahead",
        "Months of the audit log that are made ahead.",
        (({"shard": one.name}, one.months_ahead) for one in state.clusters),
        "min",
    )
    yield gauge(
        "docshard_audit_stray_months",
        "Months that have rows in the DEFAULT partition.",
        (({"shard": one.name}, one.stray_months) for one in state.clusters),
        "max",
    )
    if state.backups is not None:
        yield from backup_figures.families(state.backups, state.now)


def _moves(state: FleetState) -> Iterator[Family]:
    counted = Counter(move.state for move in state.moves)
    yield gauge(
        "docshard_moves",
        "Moves that are not over, by phase.",
        (({"phase": phase}, counted[phase]) for phase in _LIVING),
        "max",
    )
    oldest: dict[str, datetime] = {}
    for move in state.moves:
        oldest[move.state] = min(oldest.get(move.state, move.state_since), move.state_since)
    yield gauge(
        "docshard_move_phase_seconds",
        "How long the oldest move of a phase has been in it.",
        (({"phase": phase}, _age(state.now, oldest.get(phase)) or 0) for phase in _LIVING),
        "max",
    )
    unattended = is_unattended(state.moves, state.now)
    yield gauge(
        "docshard_moves_unattended",
        "1: moves are due, and no worker runs any.",
        [({}, float(unattended))],
        "max",
    )


def _age(now: datetime, moment: datetime | None) -> float | None:
    return None if moment is None else round(max((now - moment).total_seconds(), 0.0), 3)
