"""Sending a blob to the caller, whole or in part."""

import asyncio
import base64
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from services.blobs.disposition import attachment
from services.blobs.reader import BlobReader
from services.tenant.content import Outgoing


class Download(StreamingResponse):
    """Streams a blob; a reader who takes nothing for `patience_seconds` is dropped."""

    def __init__(
        self, reader: BlobReader, headers: Mapping[str, str], status: int, patience_seconds: float
    ) -> None:
        length = {"Content-Length": str(reader.extent.length)}
        super().__init__(reader, status_code=status, headers={**headers, **length})
        self._reader = reader
        self._patience_seconds = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all, and let the blob go in any case."""

        async def patient(message: Message) -> None:
            try:
                async with asyncio.timeout(self._patience_seconds):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        try:
            await super().__call__(scope, receive, patient)
        finally:
            self._reader.close()


def etag(content: Outgoing) -> str:
    """The strong ETag of a version's bytes: their digest."""
    return f'"{content.version.checksum_sha256.hex()}"'


def headers_of(content: Outgoing) -> dict[str, str]:
    """Headers of a download: it is saved under its name and never shown as a page of ours."""
    digest = base64.b64encode(content.version.checksum_sha256).decode("ascii")
    return {
        "Content-Type": content.version.mime_type,
        "Content-Disposition": attachment(content.filename),
        "Accept-Ranges": "bytes",
        "ETag": etag(content),
        "Repr-Digest": f"sha-256=:{digest}:",
    }
