"""Whether a cluster can become a shard: pure rules over gathered facts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from global_db.bootstrap import ROLES
from global_db.inspection import ServerSetup
from services.fleet.doctor import ClusterFacts, judge, judge_clock
from services.fleet.finding import Finding
from shards.occupancy import Occupancy
from shards.ring import MAX_WEIGHT

_NAME = re.compile(r"shard-[1-9][0-9]*")
_FREE_BYTES = 1024**3
# Two moves out and two in at a time, each with a way back: a slot for each of the four, and a
# second one's worth for where each of the four subscriptions has got to.
_MOVES = 4
_SLOTS = 2 * _MOVES

PREPARE = (
    "as its superuser, make database, roles and extensions: "
    "`docshard shard prepare 'host=HOST port=PORT user=postgres'`"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cluster that wants to be the shard `name`.

    `setups` are of the nodes that let us in, `faults` tell why others did not. `revision` is its
    schema's, None for none. `refused_roles` are those of ours that could not log in. `free_bytes`
    None: nobody knows.
    """

    name: str
    weight: float
    facts: ClusterFacts
    setups: Mapping[str, ServerSetup]
    faults: Mapping[str, str] = field(default_factory=dict)
    occupancy: Occupancy = field(default_factory=Occupancy)
    revision: str | None = None
    refused_roles: tuple[str, ...] = ()
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """What the candidate would join.

    `names` are all that a shard has or had. `setups` are of one node of each cluster, None for a
    cluster that did not answer. `revisions` are the shard schema's that this code knows.
    """

    names: frozenset[str]
    setups: Mapping[str, ServerSetup | None]
    revisions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why it cannot be; and what is worth knowing and stands in nobody's way."""

    refusals: tuple[Finding, ...]
    notes: tuple[Finding, ...]


def check(candidate: Candidate, there: Installation, today: date) -> Verdict:
    """Judge a candidate; no refusals: it may be migrated and registered."""
    return Verdict(tuple(_refusals(candidate, there, today)), tuple(_notes(candidate, there)))


def _refusals(candidate: Candidate, there: Installation, today: date) -> Iterator[Finding]:
    yield from _judge_name(candidate, there)
    for name, fault in candidate.faults.items():
        yield Finding(name, f"does not let us in: {fault}", f"see that it runs; or, {PREPARE}")
    if not candidate.faults:
        yield from judge(candidate.facts, today)
    yield from _judge_majors(candidate)
    for name, setup in candidate.setups.items():
        yield from _judge_setup(name, setup, len(candidate.setups) - 1)
        yield from _judge_likeness(name, setup, there.setups.get("global"))
    yield from _judge_identity(candidate, there)
    yield from _judge_contents(candidate, there)
    if candidate.free_bytes is not None and candidate.free_bytes < _FREE_BYTES:
        what = f"has {candidate.free_bytes / 1024**2:.0f} MiB of free disk"
        yield Finding(candidate.name, what, "give it a gigabyte at least")


def _judge_name(candidate: Candidate, there: Installation) -> Iterator[Finding]:
    if not _NAME.fullmatch(candidate.name):
        advice = "name it shard-N, as in shard-3: scripts rely on it"
        yield Finding(candidate.name, "is no name for a shard", advice)
    elif candidate.name in there.names:
        what = "is or was the name of another shard; names are never used again"
        free = 1 + max((int(name.removeprefix("shard-")) for name in there.names), default=0)
        yield Finding(candidate.name, what, f"take shard-{free}, or give no name")
    if not 0 < candidate.weight <= MAX_WEIGHT:
        what = f"cannot have the weight {candidate.weight:g}"
        yield Finding(candidate.name, what, f"give one above 0 and up to {MAX_WEIGHT:g}")


def _judge_majors(candidate: Candidate) -> Iterator[Finding]:
    """Streaming goes on between servers of one major alone; tenants move between any two."""
    majors = {setup.major for setup in candidate.setups.values()}
    if len(majors) > 1:
        what = f"mixes PostgreSQL {' and '.join(map(str, sorted(majors)))}"
        yield Finding(candidate.name, what, "replicas need their primary's major version")


def _judge_setup(name: str, setup: ServerSetup, replicas: int) -> Iterator[Finding]:
    for setting, value, needed in (
        ("max_replication_slots", setup.slots, _SLOTS + replicas),
        ("max_wal_senders", setup.senders, _MOVES + replicas),
        ("max_logical_replication_workers", setup.workers, _MOVES),
    ):
        if value < needed:
            advice = f"set {setting} = {needed} or more and restart it"
            yield Finding(name, f"has {setting} {value}: too few for moves", advice)
    if setup.password_encryption != "scram-sha-256":  # noqa: S105 - a method, not a password
        what = f"has password_encryption {setup.password_encryption}"
        yield Finding(name, what, "set it to scram-sha-256 and set the roles' passwords anew")
    missing = [role for role in ROLES if role not in setup.roles]
    if missing:
        yield Finding(name, f"lacks the roles {', '.join(missing)}", PREPARE)
    if not setup.bootstrapped:
        yield Finding(name, "lacks docshard's functions", PREPARE)


def _judge_likeness(
    name: str, setup: ServerSetup, reference: ServerSetup | None
) -> Iterator[Finding]:
    if reference is None:
        return
    if setup.encoding != reference.encoding:
        what = f"has the encoding {setup.encoding}, the others {reference.encoding}"
        yield Finding(name, what, "make its database with that one")
    if _plain(setup.collation) != _plain(reference.collation):
        what = f"sorts as {setup.collation}, the others as {reference.collation}"
        yield Finding(name, what, "make its cluster with that locale: lists keep their order then")
    yield from judge_clock(name, setup.clock, reference.clock)


def _judge_identity(candidate: Candidate, there: Installation) -> Iterator[Finding]:
    systems = {setup.system for setup in candidate.setups.values()}
    if len(systems) > 1:
        what = "has nodes of several clusters"
        yield Finding(candidate.name, what, "name the nodes of one: a primary and its replicas")
    same = [name for name, setup in there.setups.items() if setup and setup.system in systems]
    if same:
        what = f"has the system identifier of {', '.join(same)}: it is a cluster that is known"
        yield Finding(candidate.name, what, "name the nodes of another one")


def _judge_contents(candidate: Candidate, there: Installation) -> Iterator[Finding]:
    if candidate.refused_roles:
        what = f"lets nobody in as {', '.join(candidate.refused_roles)}"
        advice = "each role has one password on all clusters: prepare it again with ours"
        yield Finding(candidate.name, what, advice)
    if candidate.occupancy.directory:
        what = "holds the tables of a global database"
        yield Finding(candidate.name, what, "name an empty cluster")
    elif candidate.occupancy.tenants:
        what = (
            f"holds {candidate.occupancy.tenants} tenants of another installation, or of a backup"
        )
        yield Finding(candidate.name, what, "a new shard is empty: tenants come by moves")
    elif candidate.revision is not None and candidate.revision not in there.revisions:
        what = f"has schema {candidate.revision}, which this release does not know"
        yield Finding(candidate.name, what, "upgrade docshard, or name an empty cluster")


def _notes(candidate: Candidate, there: Installation) -> Iterator[Finding]:
    if candidate.free_bytes is None:
        what = "has a disk of unknown size: PostgreSQL does not tell"
        yield Finding(candidate.name, what, "see yourself that its share of all data fits")
    if len(candidate.facts.servers) == 1:
        yield Finding(candidate.name, "has no replica", "a lost disk would lose its tenants' data")
    for name, setup in candidate.setups.items():
        if not setup.checksums:
            what = "has no data checksums: silent corruption stays silent"
            yield Finding(name, what, "initdb --data-checksums, or pg_checksums while it is down")
    newest = max((setup.major for setup in there.setups.values() if setup), default=0)
    for name, setup in candidate.setups.items():
        if setup.major < newest:
            what = f"is PostgreSQL {setup.major}, others are {newest}"
            yield Finding(name, what, "tenants move both ways; upgrade when it suits")
    # Were it the same cluster at new addresses, its tenants would speak against it.
    for name, other in there.setups.items():
        if other is None:
            what = f"was not compared with {name}, which does not answer"
            yield Finding(candidate.name, what, "see that they are not one cluster")


def _plain(locale: str) -> str:
    """C.UTF-8 and C.utf8 are one."""
    return locale.lower().replace("-", "")
