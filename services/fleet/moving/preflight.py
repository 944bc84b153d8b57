"""Whether a move can begin: what is in its way, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shards.copying.facts import Room, ShardFacts, StandbyFacts

# The copy, and as much again for its WAL and indexes.
_SPACE_FACTOR = 2
_SPACE_MARGIN = 64 * 1024**2
_OLDEST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a move does not begin, and what an operator can do. Both are sentences for people."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found of both shards. `head`: the newest revision that this program knows.

    `archiving`: another job is taking months out of the shards' logs just now.
    """

    source_name: str
    target_name: str
    source: ShardFacts
    target: ShardFacts
    head: str
    archiving: bool = False


def judge(look: Look) -> list[Refusal]:
    """Everything that is in the way of a move; empty when it can begin."""
    return [
        *_schema(look),
        *_partitions(look),
        *_settings(look.source_name, look.source),
        *_settings(look.target_name, look.target),
        *_slots(look),
        *_space(look),
        *_identity(look),
        *_old_transaction(look),
        *_standbys(look.source_name, look.source.standbys),
        *_standbys(look.target_name, look.target.standbys),
    ]


def _schema(look: Look) -> Iterator[Refusal]:
    for name, facts in _both(look):
        if facts.revision != look.head:
            yield Refusal(
                f"{name} has schema revision {facts.revision}, not {look.head}.",
                "Run docshard migrate up.",
            )
    if look.source.collation != look.target.collation:
        yield Refusal(
            f"{look.source_name} sorts text by {look.source.collation}, {look.target_name} by"
            f" {look.target.collation}.",
            "Give the target's database the source's collation: set the shard up anew.",
        )


def _partitions(look: Look) -> Iterator[Refusal]:
    if look.archiving:
        yield Refusal(
            "Months of audit logs are being made or archived just now.",
            "Nothing is to be done: the move begins when that has ended.",
        )
    missing = set(look.source.partitions) ^ set(look.target.partitions)
    if missing:
        yield Refusal(
            "The audit log has other months on the source than on the target:"
            f" {', '.join(sorted(missing))}.",
            "The worker's job partitions makes them; docshard doctor tells why it does not.",
        )


def _settings(name: str, facts: ShardFacts) -> Iterator[Refusal]:
    if facts.wal_level != "logical":
        yield Refusal(
            f"{name} has wal_level {facts.wal_level}.", "Set wal_level = logical and restart it."
        )


def _slots(look: Look) -> Iterator[Refusal]:
    # The way back needs the same at the other end.
    for name, facts in _both(look):
        yield from _room(name, facts.slots, "replication slot", "max_replication_slots")
        yield from _room(name, facts.senders, "WAL sender", "max_wal_senders")
        yield from _room(
            name, facts.workers, "replication worker", "max_logical_replication_workers"
        )


def _room(name: str, room: Room, thing: str, setting: str) -> Iterator[Refusal]:
    if room.used >= room.most:
        yield Refusal(
            f"{name} has no {thing} free: {room.used} of {room.most} are in use.",
            f"Wait for other moves to be swept, or raise {setting} and restart it.",
        )


def _space(look: Look) -> Iterator[Refusal]:
    free, needed = look.target.free_bytes, look.source.bytes * _SPACE_FACTOR + _SPACE_MARGIN
    if free is not None and free < needed:
        yield Refusal(
            f"{look.target_name} has {free // 1024**2} MiB free, the batch needs"
            f" {needed // 1024**2}.",
            "Give the target more disk, or move smaller batches.",
        )


def _identity(look: Look) -> Iterator[Refusal]:
    for name, facts in _both(look):
        if facts.without_identity:
            yield Refusal(
                f"Rows of {', '.join(facts.without_identity)} on {name} have no replica identity.",
                "ALTER TABLE … REPLICA IDENTITY DEFAULT: their primary keys are meant for that.",
            )


def _old_transaction(look: Look) -> Iterator[Refusal]:
    facts = look.source
    if facts.oldest_seconds > _OLDEST_SECONDS:
        yield Refusal(
            f"A transaction on {look.source_name} has run for {facts.oldest_seconds:.0f} s (pid"
            f" {facts.oldest_pid}); a new slot would wait for it.",
            "Wait for its end, or end it: SELECT pg_terminate_backend(pid).",
        )


def _standbys(name: str, standbys: tuple[StandbyFacts, ...]) -> Iterator[Refusal]:
    for standby in standbys:
        if not standby.streams:
            yield Refusal(
                f"The standby {standby.name} of {name} does not stream.",
                "Start it or mend it: before the switch it must have everything on disk, so that no"
                " failover undoes the move. One that is gone for good is taken out of the catalog.",
            )


def _both(look: Look) -> tuple[tuple[str, ShardFacts], tuple[str, ShardFacts]]:
    return (look.source_name, look.source), (look.target_name, look.target)
