"""A month counts as archived only when others than the shard agree (I5)."""

from dataclasses import replace

from services.blobs.store import BlobStore
from services.fleet import sweeps
from services.fleet.invariants.proof import Rule
from tests.integration.desk import Workplace
from tests.integration.old_months import OldFleet, months_ago, write_rows
from tests.integration.proving import SETTLED, proving

OLD = months_ago(25)
READING = replace(SETTLED, reads_blobs=True)


async def test_an_archived_month_is_proven_by_its_object(
    workplace: Workplace, blobs: BlobStore
) -> None:
    async with proving(workplace, blobs) as proven:
        old = OldFleet(workplace, proven.worker)
        access = await proven.tenant()
        await write_rows(old.shard, access.client_id, OLD, 30)
        await proven.story(access)
        await old.ready()
        assert (await sweeps.archive_months(proven.worker)).done == 1
        await proven.link()
        whole = await proven.prove(READING)
        assert whole.findings == []
        assert (whole.archives, whole.links) == (1, 37)

        (key,) = await old.stored(f"audit-archive/{access.client_id}/")
        await proven.spoil(
            "UPDATE docshard.audit_archives SET rows = 29 WHERE client_id = %(client)s",
            client=access.client_id,
        )
        told = " ".join(one.what for one in await proven.found(access.client_id, reads_blobs=True))
        assert "holds other rows than were stored" in told
        assert "has 29 rows, and the chain 30 links of them" in told
        await blobs.delete(key)
        found = await proven.found(access.client_id)
        assert {one.rule for one in found} == {Rule.AUDITED}
        assert any("is not in the object store" in one.what for one in found)
        missing = [one for one in found if "audit chain is missing" in one.what]
        assert len(missing) == 30
