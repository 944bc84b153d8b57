"""Verifying a tenant's audit log for a caller: for a moment, and then where to go on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from global_db.audit_heads import Head
from services.access.admission import TenantAccess
from services.chain import heads
from services.chain.sources import TenantChain
from services.chain.verification import Extent, Position, Report, Verification
from services.chain.walk import Finding, Walked
from services.cursor import ListScope
from services.resources import Resources

__all__ = ["Extent", "Finding", "Verified", "verify"]

_SECONDS: Final = 2.0
_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found, and the cursor for the rest; None when all was looked at."""

    report: Report
    head: Head | None
    public_key: bytes | None
    """Of the key that signed the head."""
    next_cursor: str | None

    @property
    def findings(self) -> list[Finding]:
        """The first ones: one is enough to distrust all that follows."""
        return sorted(self.report.findings, key=lambda one: one.seq)[:_SHOWN]


async def verify(
    resources: Resources, access: TenantAccess, extent: Extent, cursor: str | None
) -> Verified:
    """Verify the chain from the beginning, or from where an earlier answer stopped.

    Raises:
        InvalidCursor, KeysUnavailable, DirectoryUnavailable, ShardUnavailable.
    """
    filters = {"from": extent.since, "to": extent.until}
    scope = ListScope("audit_verification", access.client_id, filters)
    cursors, keyring = resources.secrets.cursors, resources.secrets.keyring
    start = None if cursor is None else _position(await cursors.decode(scope, cursor))
    source = TenantChain(resources.data, access.client_id)
    known = await heads.load(resources.data, keyring, access.client_id)
    report = await Verification(source, known, extent).run(start, _SECONDS)
    key = None if report.head is None else await heads.public_key(keyring, report.head.kid)
    rest = None if report.position is None else cursors.encode(scope, _values(report.position))
    return Verified(report, report.head, key, rest)


def _values(position: Position) -> tuple[object, ...]:
    walked, placed = position.walked, position.placed
    return (
        *(walked.seq, walked.chain_hash.hex(), _text(walked.newest), walked.vouched, position.last),
        None if placed is None else (_text(placed[0]), str(placed[1])),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _position(values: tuple[object, ...]) -> Position:
    """What `_values` made; the cursor's signature says that we did."""
    seq, chain_hash, newest, vouched, last, placed = values
    walked = Walked(
        int(str(seq)),
        bytes.fromhex(str(chain_hash)),
        None if newest is None else datetime.fromisoformat(str(newest)),
        int(str(vouched)),
    )
    if not isinstance(placed, list):
        return Position(walked, int(str(last)))
    return Position(walked, int(str(last)), (datetime.fromisoformat(placed[0]), UUID(placed[1])))
