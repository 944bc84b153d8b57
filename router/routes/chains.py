"""The chain of a tenant's audit log: whether it is sound, and what it says, in its order."""

from typing import Annotated, Any, Final

from fastapi import Query

from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models.chains import (
    CHANGES,
    VERIFICATION,
    AuditVerification,
    ChangesPage,
    ChangesQuery,
    VerificationQuery,
)
from router.parameters import ClientId
from router.routes.clients import CLIENT
from router.routes.replies import SERVED_BY, from_primary
from router.security import Tenant
from services.pages import Page, PageRequest
from services.tenant import audit_verification, changes
from services.tenant.audit_verification import Extent, Verified
from services.tenant.changes import Change

api = Api("Audit")

VERIFY: Final = f"{CLIENT}/audit-logs/verify"
FEED: Final = f"{CLIENT}/changes"


@api.route(
    "GET",
    VERIFY,
    Tenant("audit:read"),
    Doc(
        (Answer(200, "What was found.", AuditVerification, VERIFICATION, headers=SERVED_BY),),
        refusals=("invalid_cursor",),
    ),
)
async def verify_audit_logs(
    call: Call, client_id: ClientId, query: Annotated[VerificationQuery, Query()]
) -> dict[str, Any]:
    """Verify the hash chain of a tenant's audit log against its rows and its signed heads.

    Finds rows and links that were changed, removed, inserted or reordered, and names the first bad
    seq. `from` (inclusive) and `to` (exclusive) are times as in the log itself; the check reaches a
    little further, to a signed head. It works for about two seconds: `next_cursor` leads on.
    """
    from_primary(call)
    extent = Extent(query.from_, query.to)
    found = await audit_verification.verify(call.resources, call.tenant, extent, query.cursor)
    return _shown(found)


def _shown(found: Verified) -> dict[str, Any]:
    report, head = found.report, found.head
    signed = (
        None
        if head is None
        else {
            "seq": head.seq,
            "chain_hash": head.chain_hash,
            "signed_at": head.signed_at,
            "kid": head.kid,
            "signature": head.signature.hex(),
            "public_key": found.public_key,
        }
    )
    tip = report.tip
    return {
        "ok": not report.findings,
        "first_bad_seq": report.first_bad_seq,
        "head": {
            "seq": 0 if tip is None else tip.seq,
            "chain_hash": None if tip is None else tip.chain_hash,
            "signed": signed,
        },
        "checked": report.checked,
        "findings": found.findings,
        "next_cursor": found.next_cursor,
    }


@api.route(
    "GET",
    FEED,
    Tenant("document:read"),
    Doc(
        (Answer(200, "Changes, oldest first.", ChangesPage, CHANGES, headers=SERVED_BY),),
        refusals=("invalid_cursor", "cursor_expired"),
    ),
)
async def list_changes(
    call: Call, client_id: ClientId, query: Annotated[ChangesQuery, Query()]
) -> Page[Change]:
    """Follow a tenant's changes in the order of seq: none is skipped, none comes twice.

    Without a cursor it begins with the oldest that is kept. `next_cursor` is always there: ask with
    it again, `wait` saying for how many seconds a request may wait for something new. A change is
    here about a second after its commit. Reads of content are not changes: their numbers are
    missing. A cursor stays good when the tenant moves; when what follows it was archived, the
    answer is 410.
    """
    from_primary(call)
    request = PageRequest(query.limit, query.cursor)
    return await changes.follow(call.resources, call.tenant, request, call.edge.feed, query.wait)
