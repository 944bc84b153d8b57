"""What the repositories hold, and which backup a restore begins with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.fleet.pgbackrest import cluster_of
from global_db.position import lsn_bytes

SEGMENT_BYTES = 16 * 1024**2
_LONGEST = 200
_UNREADABLE = 99  # pgBackRest's code of a repository for whatever it has no other


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup of a cluster in one repository.

    `size` are the cluster's bytes, `stored` what the repository took for it. WAL from `start_lsn`
    to `stop_lsn`, on `timeline`, makes it whole. `faulty`: pages failed their checksums.
    """

    cluster: str
    repository: int
    label: str
    type: str
    started_at: datetime
    stopped_at: datetime
    start_lsn: int
    stop_lsn: int
    timeline: int
    size: int
    stored: int
    faulty: bool


@dataclass(frozen=True, slots=True)
class Stanza:
    """One cluster: its backups, oldest first, and the WAL that lies in each repository.

    `status` is pgBackRest's own word, `ok` or what is wrong; `unread` are repositories that it
    could not read, with its reason.
    """

    cluster: str
    status: str
    backups: tuple[Backup, ...]
    wal: Mapping[int, tuple[str | None, str | None]]
    unread: Mapping[int, str]

    def newest(self) -> Backup | None:
        """The last one that was taken."""
        return max(self.backups, key=lambda one: one.stopped_at, default=None)


@dataclass(frozen=True, slots=True)
class Kept:
    """What one repository keeps of one cluster: how many backups, and the bytes they take there."""

    repository: int
    cluster: str
    backups: int
    stored_bytes: int

    def monthly_cost(self, price: float) -> float:
        """At a price of 10^9 bytes for a month."""
        return self.stored_bytes / 1e9 * price


@dataclass(frozen=True, slots=True)
class Moment:
    """What to restore to: a time, or a restore point at its LSN on its timeline. Neither: all."""

    at: datetime | None = None
    point: str | None = None
    lsn: int | None = None
    timeline: int | None = None


def read_info(told: list[Mapping[str, Any]]) -> list[Stanza]:
    """What `pgbackrest info --output=json` says."""
    return [_stanza(one) for one in told]


def kept(stanzas: Iterable[Stanza]) -> list[Kept]:
    """What is kept, by repository and cluster; WAL is not in it, whose size the tool does not tell.

    A backup that others build on is counted once: each tells what it added.
    """
    taken: dict[tuple[int, str], list[int]] = {}
    for one in (backup for stanza in stanzas for backup in stanza.backups):
        taken.setdefault((one.repository, one.cluster), []).append(one.stored)
    return [Kept(*place, len(stored), sum(stored)) for place, stored in sorted(taken.items())]


def begin_with(backups: Iterable[Backup], moment: Moment, repository: int | None) -> Backup | None:
    """The newest backup that was whole before the moment; the first repository's among equals.

    None: the moment is before what is kept.
    """
    fit = [
        one
        for one in backups
        if (repository is None or one.repository == repository)
        and not one.faulty
        and _is_before(one, moment)
    ]
    return max(fit, key=lambda one: (one.stopped_at, -one.repository), default=None)


def end_of_wal(stanza: Stanza) -> int:
    """Where the WAL in the repositories ends, in bytes: of the one that has most."""
    ends = [last for _, last in stanza.wal.values() if last is not None]
    return max((_end_of(one) for one in ends), default=0)


def _end_of(segment: str) -> int:
    """A segment's name is its timeline, and its number in two hexadecimal halves."""
    return (int(segment[8:16], 16) << 32) + (int(segment[16:24], 16) + 1) * SEGMENT_BYTES


def _is_before(backup: Backup, moment: Moment) -> bool:
    if moment.lsn is not None and moment.timeline is not None:
        return backup.stop_lsn <= moment.lsn and backup.timeline <= moment.timeline
    # The tool tells whole seconds: one that stopped within the second may have stopped behind it.
    return moment.at is None or backup.stopped_at < moment.at


def _stanza(told: Mapping[str, Any]) -> Stanza:
    cluster = cluster_of(told["name"])
    return Stanza(
        cluster=cluster,
        status=told["status"]["message"],
        backups=tuple(_backup(cluster, one) for one in told.get("backup", ())),
        wal={
            one["database"]["repo-key"]: (one["min"], one["max"]) for one in told.get("archive", ())
        },
        unread={
            one["key"]: _printable(one["status"]["message"])
            for one in told.get("repo", ())
            if one["status"]["code"] == _UNREADABLE
        },
    )


def _printable(text: str) -> str:
    """The beginning of a message; with a wrong pass phrase it quotes noise."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:_LONGEST]


def _backup(cluster: str, told: Mapping[str, Any]) -> Backup:
    return Backup(
        cluster=cluster,
        repository=told["database"]["repo-key"],
        label=told["label"],
        type=told["type"],
        started_at=datetime.fromtimestamp(told["timestamp"]["start"], UTC),
        stopped_at=datetime.fromtimestamp(told["timestamp"]["stop"], UTC),
        start_lsn=lsn_bytes(told["lsn"]["start"]),
        stop_lsn=lsn_bytes(told["lsn"]["stop"]),
        timeline=int(told["archive"]["stop"][:8], 16),
        size=told["info"]["size"],
        stored=told["info"]["repository"]["delta"],
        faulty=bool(told.get("error")),
    )
