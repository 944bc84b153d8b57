"""What a rotation of the field-encryption key has to do, told by the keys and what they sealed.

Pure: a plan is a value, the same for a dry run and for the real one. Nothing else is remembered
between runs: an interrupted rotation is told by what it left behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from global_db.data_keys import DataKey
from global_db.sealed_values import SealedCount
from services.keys.material import Purpose


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """The state, and with it the steps.

    `make`: a new key is needed. `published`: a key that waits to be used, of a rotation that was
    interrupted. `in_use`: the key in use at present. `left`: how many values each other key of
    ours still has. `unknown`: values whose key nobody knows; nothing can be done about them here.
    """

    make: bool
    published: UUID | None
    in_use: UUID | None
    left: Mapping[UUID, int]
    sealed: Mapping[UUID, int]
    unknown: int

    @property
    def values(self) -> int:
        """How many values are to be encrypted anew."""
        changes = self.make or self.published is not None
        return sum(self.sealed.values()) if changes else sum(self.left.values())

    def steps(self, settle_seconds: float) -> list[str]:
        """The steps in order, for a person."""
        wait = f"wait {settle_seconds:g} s, so that every process"
        steps = []
        if self.make:
            steps.append("make a new field-encryption key and publish it: nothing uses it yet")
        if self.make or self.published is not None:
            name = "it" if self.make else f"key {self.published}"
            steps += [
                f"{wait} can open what {name} will seal",
                f"use {name} for new values and retire key {self.in_use}; it stays, for backups",
            ]
        steps.append(f"encrypt {self.values} values anew, in batches, comparing before setting")
        steps.append(f"{wait} has the new key in use, and look again for values of older keys")
        return steps


def plan_rotation(
    keys: Sequence[DataKey], counts: Sequence[SealedCount], *, anew: bool = False
) -> RotationPlan:
    """Decide: a new rotation, or the end of one that was interrupted.

    While values of an older key are left no further key is made, unless `anew` asks for it.
    """
    ours = [key for key in keys if key.purpose == Purpose.FIELD_ENCRYPTION]
    published = next((key.id for key in ours if key.activated_at is None), None)
    in_use = next((key.id for key in ours if key.activated_at and not key.retired_at), None)
    sealed = values_by_key(counts)
    known = {key.id: sealed.get(key.id, 0) for key in ours}
    left = {key_id: values for key_id, values in known.items() if values and key_id != in_use}
    return RotationPlan(
        make=published is None and (anew or not left),
        published=published,
        in_use=in_use,
        left=left,
        sealed=known,
        unknown=sum(sealed.values()) - sum(known.values()),
    )


def values_by_key(counts: Sequence[SealedCount]) -> dict[UUID | None, int]:
    """Sum over columns; None for values that name no key."""
    total: dict[UUID | None, int] = {}
    for count in counts:
        total[count.key_id] = total.get(count.key_id, 0) + count.values
    return total
