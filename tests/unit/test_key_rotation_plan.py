"""A rotation's plan, from keys and counts alone; and that it knows every encrypted column."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa

from deploy.cli.key_data import progress_line
from global_db.data_keys import DataKey
from global_db.sealed_values import SEALED_COLUMNS, SealedCount
from global_db.session_tables import login_failures
from services.fleet.key_rotation import Progress
from services.keys.rotation_plan import plan_rotation

NOW = datetime.now(UTC)
OLD, NEW, ELSE = (UUID(int=number) for number in (1, 2, 3))
EMAIL, MOBILE, *_ = SEALED_COLUMNS

IN_USE = DataKey(OLD, "field_encryption", "local-file", b"w", NOW, None, NOW)
RETIRED = replace(IN_USE, retired_at=NOW)
PUBLISHED = DataKey(NEW, "field_encryption", "local-file", b"w", NOW)
USED_NEXT = replace(PUBLISHED, activated_at=NOW)
OTHER_PURPOSE = replace(IN_USE, id=ELSE, purpose="jwt_signing")

# Columns of bytes that are no sealed values: digests, and keys wrapped by a provider.
NOT_SEALED = ("_index", "_hash", "wrapped", "signature")


def counted(**values: int) -> list[SealedCount]:
    ids = {"old": OLD, "new": NEW, "unknown": ELSE, "noise": None}
    return [SealedCount(EMAIL, ids[name], number) for name, number in values.items()]


def test_a_calm_database_gets_a_new_key() -> None:
    counts = [*counted(old=5), SealedCount(MOBILE, OLD, 2)]
    plan = plan_rotation([IN_USE, OTHER_PURPOSE], counts)
    assert (plan.make, plan.published, plan.in_use, plan.values) == (True, None, OLD, 7)
    steps = plan.steps(10)
    assert [step.split()[0] for step in steps] == ["make", "wait", "use", "encrypt", "wait"]
    assert f"retire key {OLD}" in steps[2]


def test_a_published_key_is_used_and_no_other_made() -> None:
    plan = plan_rotation([IN_USE, PUBLISHED], counted(old=5))
    assert (plan.make, plan.published, plan.values) == (False, NEW, 5)
    assert [step.split()[0] for step in plan.steps(10)] == ["wait", "use", "encrypt", "wait"]
    assert not plan_rotation([IN_USE, PUBLISHED], counted(old=5), anew=True).make


def test_values_of_an_older_key_come_first() -> None:
    plan = plan_rotation([RETIRED, USED_NEXT], counted(old=3, new=4))
    assert (plan.make, plan.in_use, dict(plan.left), plan.values) == (False, NEW, {OLD: 3}, 3)
    assert [step.split()[0] for step in plan.steps(10)] == ["encrypt", "wait"]
    assert plan_rotation([RETIRED, USED_NEXT], counted(old=3, new=4), anew=True).values == 7


def test_a_finished_rotation_may_be_followed_by_another() -> None:
    assert plan_rotation([RETIRED, USED_NEXT], counted(new=7)).make


def test_values_of_no_known_key_do_not_hold_a_rotation_up() -> None:
    plan = plan_rotation([IN_USE, OTHER_PURPOSE], counted(old=1, unknown=2, noise=3))
    assert (plan.make, plan.unknown, dict(plan.sealed)) == (True, 5, {OLD: 1})


def test_every_column_of_bytes_is_sealed_or_known_not_to_be() -> None:
    """A sealed column that a rotation does not know would keep its old key for ever."""
    sealed = {str(column) for column in SEALED_COLUMNS}
    others = {
        f"{table.name}.{column.name}"
        for table in login_failures.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.LargeBinary) and not column.name.endswith(NOT_SEALED)
    }
    assert others == sealed


def test_progress_admits_when_it_does_not_know() -> None:
    assert progress_line(Progress(10), 0) == "0 of 10 values, 0/s, time left unknown"
    line = progress_line(Progress(1000, resealed=200, overtaken=100), 2)
    assert line == "200 of 1000 values, 100/s, about 7 s left"
