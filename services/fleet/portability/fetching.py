"""Fetching blobs out of the object store into an export, some side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Final

from services.blobs.store import BlobAbsent
from services.errors import StorageUnavailable
from services.fleet.portability.folder import ExportFolder
from services.fleet.portability.layout import NamedBlob
from services.fleet.portability.reach import Reach

_AT_ONCE: Final = 8
"""Small blobs are mostly waiting."""


class Fetching:
    """Fetches blobs side by side, each content once."""

    def __init__(self, reach: Reach, folder: ExportFolder, moved: Callable[[], None]) -> None:
        self._reach = reach
        self._folder = folder
        self._moved = moved
        self._running: dict[str, asyncio.Task[None]] = {}

    async def fetch(self, blob: NamedBlob) -> None:
        """Begin with a blob as soon as there is room."""
        if blob.sha256 in self._running or self._folder.take_kept(blob):
            return
        if len(self._running) >= _AT_ONCE:
            await self._wait(asyncio.FIRST_COMPLETED)
        self._running[blob.sha256] = asyncio.create_task(self._one(blob))

    async def end(self) -> None:
        """Wait for what is still running."""
        if self._running:
            await self._wait(asyncio.ALL_COMPLETED)

    async def stop(self) -> None:
        """Give up what is still running."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _wait(self, until: str) -> None:
        done, _ = await asyncio.wait(self._running.values(), return_when=until)
        self._running = {key: task for key, task in self._running.items() if task not in done}
        for task in done:
            task.result()
        self._moved()

    async def _one(self, blob: NamedBlob) -> None:
        try:
            reader = await self._reach.blobs.open_stream(blob.s3_key)
        except BlobAbsent as error:
            raise StorageUnavailable(
                f"The object {blob.s3_key} is missing: `docshard doctor --blobs`."
            ) from error
        with closing(reader):
            await self._folder.add(blob, aiter(reader))
