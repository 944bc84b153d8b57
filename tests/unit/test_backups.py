"""Backups: what is chosen, read and judged, on plain data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from deploy.backups.history import Backup, Kept, Moment, Stanza, begin_with, kept, read_info
from deploy.backups.verifying import read_report
from deploy.fleet.file import FleetFileFault, read_fleet_file
from deploy.fleet.pgbackrest import knows, parse_release
from deploy.rendering.service_alerts import DRILL_DAYS
from deploy.rendering.targets import TARGETS
from services.backup_settings import BackupSettings
from services.fleet.backup_doctor import judge_archiving, judge_backups, judge_points
from services.fleet.doctor import ClusterFacts, ServerFacts
from services.fleet.reconciliation import Placed, Resident, Verdict, reconcile
from services.fleet.restore_points import RestorePoint

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EXAMPLE = (Path(__file__).parents[2] / "deploy" / "fleet.example.toml").read_text()
FULL = Backup("shard-1", 1, "F", "full", NOW, NOW, 0x100, 0x200, 1, 1000, 100, faulty=False)
LATER = replace(FULL, label="I", stopped_at=NOW + timedelta(hours=1), stop_lsn=0x400)


@pytest.mark.parametrize(
    ("moment", "label"),
    [
        (Moment(), "I"),
        (Moment(at=NOW + timedelta(hours=2)), "I"),
        (Moment(at=NOW + timedelta(hours=1)), "F"),
        (Moment(at=NOW), None),
        (Moment(point="p", lsn=0x400, timeline=1), "I"),
        (Moment(point="p", lsn=0x3FF, timeline=1), "F"),
        (Moment(point="p", lsn=0x1FF, timeline=1), None),
    ],
)
def test_a_restore_begins_with_the_newest_backup_before_the_moment(
    moment: Moment, label: str | None
) -> None:
    found = begin_with([FULL, LATER], moment, None)
    assert (found and found.label) == label


def test_a_restore_passes_by_faulty_backups_later_timelines_and_other_repositories() -> None:
    faulty, elsewhere = replace(LATER, faulty=True), replace(LATER, timeline=2)
    assert begin_with([FULL, faulty], Moment(), None) == FULL
    at_point = Moment(point="p", lsn=0x500, timeline=1)
    assert begin_with([FULL, elsewhere], at_point, None) == FULL
    assert begin_with([FULL], Moment(), 2) is None
    twin = replace(FULL, repository=2)
    assert begin_with([twin, FULL], Moment(), None) == FULL


def test_what_the_repositories_hold_is_read() -> None:
    told = {
        "name": "docshard-global",
        "status": {"code": 0, "message": "ok"},
        "archive": [{"database": {"repo-key": 2}, "min": "A", "max": "B"}],
        "backup": [
            {
                "archive": {"stop": "000000020000000000000007"},
                "database": {"id": 1, "repo-key": 2},
                "error": True,
                "info": {"delta": 1, "repository": {"delta": 5, "size": 6}, "size": 7},
                "label": "L",
                "lsn": {"start": "1/7000028", "stop": "1/7003630"},
                "timestamp": {"start": 1795407930, "stop": 1795407940},
                "type": "full",
            }
        ],
    }
    (stanza,) = read_info([told])
    (backup,) = stanza.backups
    assert (stanza.cluster, stanza.status, stanza.wal) == ("global", "ok", {2: ("A", "B")})
    assert (backup.repository, backup.timeline, backup.stop_lsn) == (2, 2, 0x107003630)
    assert backup.faulty
    assert stanza.newest() == backup


def test_what_is_kept_is_added_up_where_it_lies() -> None:
    twin = replace(FULL, repository=2, stored=7)
    (first, second, other) = kept(
        [
            Stanza("shard-1", "ok", (FULL, replace(LATER, stored=50), twin), {}, {}),
            Stanza("shard-2", "ok", (replace(FULL, cluster="shard-2"),), {}, {}),
        ]
    )
    assert first == Kept(1, "shard-1", 2, 150)
    assert second == Kept(1, "shard-2", 1, 100)
    assert other == Kept(2, "shard-1", 1, 7)
    assert Kept(1, "shard-1", 1, 3 * 10**9).monthly_cost(0.02) == pytest.approx(0.06)


def test_a_report_of_verify_names_what_is_not_whole() -> None:
    report = """\
stanza: docshard-shard-1
status: error
  archiveId: 15-1, total WAL checked: 9, total valid WAL: 8
    missing: 0, checksum invalid: 1, size invalid: 0, other: 0
  backup: 20261123-042530F, status: invalid, total files checked: 13, total valid files: 12
    missing: 1, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261123-052530F, status: valid, total files checked: 13, total valid files: 13
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""
    wal, bad, good = read_report("shard-1", 1, report.splitlines())
    assert (wal.what, wal.files, wal.faults) == ("WAL", 9, ("1 checksum invalid",))
    assert (bad.whole, bad.faults) == (False, ("1 missing",))
    assert (good.what, good.whole) == ("backup 20261123-052530F", True)


def test_a_release_knows_what_was_there_when_it_came() -> None:
    debian = parse_release("pgBackRest 2.45\n")
    assert knows(debian, 15)
    assert not any(knows(debian, major) for major in (16, 17, 18, 99))
    assert knows((2, 57), 18)


def test_the_fleet_file_says_how_long_backups_are_kept() -> None:
    with pytest.raises(FleetFileFault, match=r"line \d+: backups.retention_days"):
        read_fleet_file(EXAMPLE.replace("retention_days = 14", "retention_days = 6"))
    without = read_fleet_file(EXAMPLE[: EXAMPLE.index("[backups]")])
    assert TARGETS["pgbackrest"](without) == {}
    assert not [path for path in TARGETS["systemd"](without) if path.suffix == ".timer"]


def test_rendered_files_hold_no_secret_and_never_drop_wal() -> None:
    for text in TARGETS["pgbackrest"](read_fleet_file(EXAMPLE)).values():
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert not [line for line in lines if "s3-key" in line or "cipher-pass" in line]
        assert not [line for line in lines if "queue-max" in line]


def test_a_restore_takes_all_cores_and_a_backup_a_quarter() -> None:
    told = "".join(TARGETS["pgbackrest"](read_fleet_file(EXAMPLE)).values())
    assert "\nprocess-max=4\n" in told
    assert "[global:restore]\nprocess-max=16\n" in told
    fewer = EXAMPLE.replace("retention_days = 14", "retention_days = 14\nprocesses = 7")
    assert "\nprocess-max=7\n" in "".join(TARGETS["pgbackrest"](read_fleet_file(fewer)).values())


def test_workers_are_told_where_backups_and_the_copy_are() -> None:
    told = "".join(TARGETS["systemd"](read_fleet_file(EXAMPLE)).values())
    for name in ("BUCKETS", "PATH", "BLOB_COPY", "BLOB_COPY_SECONDS"):
        assert f"DOCSHARD_BACKUP_{name}=" in told
    without = "".join(
        TARGETS["systemd"](read_fleet_file(EXAMPLE[: EXAMPLE.index("[backups]")])).values()
    )
    assert "DOCSHARD_BACKUP" not in without


def test_alerts_know_when_the_doctor_would_tell() -> None:
    assert BackupSettings.model_fields["drill_days"].default == DRILL_DAYS


# Reconciling

TENANT = UUID(int=7)


def verdict(place: Placed | None, state: str | None, epoch: int = 3) -> Verdict | None:
    found = {} if state is None else {TENANT: Resident(TENANT, epoch, state, None, 0.0)}
    verdicts = list(reconcile([] if place is None else [place], {"shard-1": found}))
    return verdicts[0] if verdicts else None


HERE, AWAY = Placed(TENANT, "acme", "shard-1", 3), Placed(TENANT, "acme", "shard-2", 4)


@pytest.mark.parametrize(
    ("place", "state", "epoch", "served", "closes"),
    [
        (HERE, "open", 3, True, False),
        (HERE, "open", 1, False, True),
        (HERE, "open", 4, False, True),
        (HERE, "fenced", 3, False, False),
        (HERE, "gone", 2, False, False),
        (HERE, "importing", 3, False, False),
        (HERE, None, 0, False, False),
        (AWAY, "open", 3, False, True),
        (AWAY, "fenced", 3, False, False),
        (None, "open", 1, False, True),
    ],
)
def test_a_tenant_is_served_where_the_directory_has_it_at_that_epoch_alone(
    place: Placed | None, state: str | None, epoch: int, served: bool, closes: bool
) -> None:
    """I3, I6: whatever else is open is closed, and every tenant is told of."""
    found = verdict(place, state, epoch)
    assert found is not None
    assert (found.served, found.closes is not None) == (served, closes)
    assert served or (found.why and found.advice)


@pytest.mark.parametrize(("place", "state"), [(AWAY, "gone"), (AWAY, None), (None, "gone")])
def test_who_is_rightly_elsewhere_is_not_mentioned(place: Placed | None, state: str | None) -> None:
    assert verdict(place, state) is None


@pytest.mark.parametrize("place", [HERE, AWAY, None, replace(HERE, erasing=True)])
def test_who_was_erased_is_erased_again_whatever_the_directory_says(place: Placed | None) -> None:
    found = {TENANT: Resident(TENANT, 3, "open", None, 0.0)}
    erased = frozenset() if place is not None and place.erasing else frozenset({TENANT})
    (one,) = reconcile([] if place is None else [place], {"shard-1": found}, erased)
    assert (one.served, one.erased, one.waits) == (False, True, False)
    assert list(reconcile([], {"shard-1": {}}, frozenset({TENANT}))) == []


def test_no_tenant_is_served_from_two_restored_shards() -> None:
    """I6: as at a point between the target's opening and the directory's commit."""
    source = {TENANT: Resident(TENANT, 3, "fenced", UUID(int=1), 0.0)}
    target = {TENANT: Resident(TENANT, 4, "open", UUID(int=1), 0.0)}
    for place in (HERE, AWAY):
        found = list(reconcile([place], {"shard-1": source, "shard-2": target}))
        assert sum(one.served for one in found) == (place is AWAY)
        assert all(one.closes for one in found if one.found == "open@4" and place is HERE)


# The doctor

SERVER = ServerFacts("15.1", 15, "logical", False, (), (), (), (), False)
POINT = RestorePoint(UUID(int=1), "docshard-1", "automatic", {}, NOW - timedelta(minutes=6))


def told(server: ServerFacts, *, configured: bool) -> list[str]:
    servers = {"a": server, "b": replace(server, in_recovery=True), "c": None}
    facts = ClusterFacts("shard-1", servers)
    return [one.what for one in judge_archiving([facts], configured=configured)]


def test_archiving_is_looked_at_on_primaries() -> None:
    well = replace(SERVER, archives=True, archived_seconds_ago=60.0)
    assert told(SERVER, configured=False) == []
    assert told(well, configured=True) == []
    assert "does not archive" in told(SERVER, configured=True)[0]
    assert "fails to archive" in told(replace(well, archiving_fails=True), configured=True)[0]
    old = replace(well, archived_seconds_ago=3600.0)
    assert told(old, configured=True) == ["has archived no WAL for 60 minutes"]
    never = replace(well, archived_seconds_ago=None)
    assert told(never, configured=True) == ["has archived no WAL yet"]


def test_late_points_and_backups_are_found() -> None:
    assert list(judge_points([POINT], 300.0, NOW)) == []
    assert [one.what for one in judge_points([POINT], 60.0, NOW)] == [
        "are not made: the last is of 2026-11-23 11:54 UTC"
    ]
    assert [one.what for one in judge_points([], 300.0, NOW)] == ["are not made: none yet"]
    ages = {"global": NOW, "shard-1": NOW - timedelta(days=2), "shard-2": None}
    assert [(one.subject, one.what) for one in judge_backups(ages, NOW)] == [
        ("shard-1", "was last backed up at 2026-11-21 12:00 UTC"),
        ("shard-2", "has no backup"),
    ]
