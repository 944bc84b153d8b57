"""How old the newest backup of each cluster is, by what lies in the buckets.

pgBackRest calls a backup by its beginning (`20260101-020000F`, `…_20260101-030000I`) and puts its
manifest there last. Its clock is its host's: hosts with backups keep UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from services.blobs.store import BlobStore
from services.fleet.point_manifests import bucket_settings
from services.settings import Settings

_LABEL: Final = re.compile(r"(?:\d{8}-\d{6}F_)?(\d{8}-\d{6})[FDI]")
_TRIED: Final = 3
"""So many of the newest are looked at: one may be under way, and some may have failed."""


async def newest_backups(settings: Settings) -> Mapping[str, datetime | None]:
    """By stanza: when its newest backup in any bucket began; None: it has none.

    Raises:
        StorageUnavailable: a bucket does not answer.
    """
    found: dict[str, datetime | None] = {}
    for bucket in bucket_settings(settings):
        store = BlobStore(bucket)
        try:
            for stanza, began in (await _in_bucket(store, settings.backup.path)).items():
                known = found.get(stanza)
                found[stanza] = max((one for one in (known, began) if one), default=None)
        finally:
            await store.close()
    return found


async def _in_bucket(store: BlobStore, path: str) -> Mapping[str, datetime | None]:
    above = f"{path.strip('/')}/backup/"
    return {
        stanza: await _newest(store, f"{above}{stanza}/")
        for stanza in await store.list_folders(above)
    }


async def _newest(store: BlobStore, folder: str) -> datetime | None:
    for began, label in newest_first(await store.list_folders(folder))[:_TRIED]:
        if await store.head(f"{folder}{label}/backup.manifest") is not None:
            return began
    return None


def newest_first(names: Iterable[str]) -> list[tuple[datetime, str]]:
    """Backups among names of folders, by when they began."""
    began = ((match[1], name) for name in names if (match := _LABEL.fullmatch(name)))
    dated = [
        (datetime.strptime(moment, "%Y%m%d-%H%M%S").replace(tzinfo=UTC), name)
        for moment, name in began
    ]
    return sorted(dated, reverse=True)
