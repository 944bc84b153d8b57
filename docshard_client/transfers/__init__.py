"""Whole files, there and back."""

from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path
from uuid import UUID

from docshard_client.models import Version
from docshard_client.operation import composed
from docshard_client.parameters import Metadata
from docshard_client.session import Job
from docshard_client.transfers.download import Download, downloading
from docshard_client.transfers.upload import Upload, uploading

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, by one thread at a time."""


class Transfers:
    """Files of any size in flat memory, straight from and to the object store."""

    @composed
    def upload_file(
        self,
        client_id: UUID,
        path: str | PathLike[str],
        *,
        document_id: UUID | None = None,
        original_name: str | None = None,
        mime_type: str | None = None,
        metadata: Metadata | None = None,
        progress: Progress | None = None,
        at_once: int = 4,
        idempotency_key: str | None = None,
    ) -> Job[Version]:
        """Store a file as a new document, or as the next version of `document_id`.

        The file is read twice, first for its SHA-256. A large one goes in parts, `at_once` of them
        at a time; a part that fails is sent again, alone. Unless `mime_type` is given it is
        guessed from the name; a further version has its document's. When it cannot be finished
        nothing is left behind: the upload is given up, a document that was made for it is deleted.
        With an `idempotency_key` of the caller's it stays for a day instead, and another call with
        that key goes on with the same upload.

        Raises ApiError, ConnectionFailed, StorageRefused, FileChanged when the file changes
        meanwhile, OSError when it cannot be read, ValueError for a name or metadata of an existing
        document: those change by update_document.
        """
        if document_id is not None and (original_name is not None or metadata is not None):
            raise ValueError("a version has no name and no metadata of its own: update_document")
        return partial(
            uploading,
            order=Upload(
                client_id=client_id,
                path=Path(path),
                document_id=document_id,
                original_name=original_name,
                mime_type=mime_type,
                metadata=metadata,
                progress=progress,
                at_once=at_once,
                idempotency_key=idempotency_key,
            ),
        )

    @composed
    def download_file(
        self,
        client_id: UUID,
        document_id: UUID,
        path: str | PathLike[str],
        *,
        number: int | None = None,
        proxy: bool = False,
        progress: Progress | None = None,
    ) -> Job[Version]:
        """Write a version's bytes, the newest unless `number` is given, to `path`.

        They go to a file beside it first, which takes its place when all is there and has the
        version's SHA-256: `path` is either as it was or whole. What breaks goes on where it broke.
        With `proxy` the bytes come through the service, for who cannot reach the object store.

        Returns the version that it is. Raises ApiError, ConnectionFailed, StorageRefused,
        FileChanged when the bytes are others than the version's, OSError.
        """
        order = Download(client_id, document_id, Path(path), number, proxy, progress)
        return partial(downloading, order=order)
