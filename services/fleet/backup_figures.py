"""Figures of backups: of WAL that is archived, of points, backups, drills and the copy of blobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from global_db.archiving import Archiving
from services.exposition.family import Family, Labels, gauge
from services.fleet.drills.history import Drill


@dataclass(frozen=True, slots=True)
class BackupState:
    """What was found where backups are configured.

    `pointed_at`: when the last restore point was made; `backups`: when each stanza's newest backup
    began; `copied_at`: when the copy of the documents last had all that it can have. `drills` are
    the last of each cluster, `well_drilled_at` when the last good one of each was, or since when
    there has been a cluster without any.
    """

    pointed_at: datetime | None = None
    backups: Mapping[str, datetime | None] = field(default_factory=dict)
    copied_at: datetime | None = None
    archiving: Mapping[str, Archiving] = field(default_factory=dict)
    drills: Sequence[Drill] = ()
    well_drilled_at: Mapping[str, datetime] = field(default_factory=dict)


def families(state: BackupState, now: datetime) -> Iterator[Family]:
    """As Prometheus reads them. Pure."""
    yield gauge(
        "docshard_restore_point_age_seconds",
        "How old the last restore point is.",
        _aged({"": state.pointed_at}, None, now),
        "min",
    )
    yield gauge(
        "docshard_backup_age_seconds",
        "How old the newest backup is.",
        _aged(state.backups, "stanza", now),
        "min",
    )
    yield gauge(
        "docshard_blob_copy_age_seconds",
        "How old what the copy of the documents has is.",
        _aged({"": state.copied_at}, None, now),
        "min",
    )
    yield from _archiving(state.archiving)
    yield from _drills(state, now)


def _archiving(state: Mapping[str, Archiving]) -> Iterator[Family]:
    yield gauge(
        "docshard_wal_archived_age_seconds",
        "How long ago a segment of WAL last reached the repositories.",
        (
            ({"shard": name}, round(one.seconds_ago, 3))
            for name, one in state.items()
            if one.seconds_ago is not None
        ),
        "min",
    )
    yield gauge(
        "docshard_wal_archiving_fails",
        "1: the last segment of WAL could not be archived.",
        (({"shard": name}, float(one.fails)) for name, one in state.items()),
        "max",
    )


def _drills(state: BackupState, now: datetime) -> Iterator[Family]:
    yield gauge(
        "docshard_drill_good_age_seconds",
        "How long ago the last good drill was, or the cluster was made that had none yet.",
        _aged(state.well_drilled_at, "shard", now),
        "min",
    )
    yield gauge(
        "docshard_drill_good",
        "1: the last drill met its goals and found nothing.",
        (({"shard": one.cluster}, float(one.good)) for one in state.drills),
        "min",
    )
    yield gauge(
        "docshard_drill_rpo_seconds",
        "How much the last drill would have lost.",
        (({"shard": one.cluster}, one.rpo_seconds) for one in state.drills),
        "max",
    )
    yield gauge(
        "docshard_drill_rto_seconds",
        "How long the last drill took to restore.",
        (({"shard": one.cluster}, one.rto_seconds) for one in state.drills),
        "max",
    )


def _aged(
    moments: Mapping[str, datetime | None], label: str | None, now: datetime
) -> list[tuple[Labels, float]]:
    return [
        ({label: name} if label else {}, round(max((now - at).total_seconds(), 0.0), 3))
        for name, at in moments.items()
        if at is not None
    ]
