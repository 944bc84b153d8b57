"""A file on its way to the service: measured, announced, sent, completed. No I/O."""

import mimetypes
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx

from docshard_client import models
from docshard_client.errors import DocshardError, FileChanged, InvalidRequest, StorageRefused
from docshard_client.exchange import exchange
from docshard_client.models import PresignedRequest, Version
from docshard_client.operations.content import Content, aborting, completing
from docshard_client.operations.documents import Documents
from docshard_client.parameters import Metadata
from docshard_client.session import Session
from docshard_client.steps import Exchange, Sending, Together, sent, worked
from docshard_client.transfers.files import Measured, measure, slice_of
from docshard_client.transfers.meter import Meter, Share
from docshard_client.transfers.storage import insisting

_PATIENCE = 3
"""Times the usual attempts for completing: the service proves large uploads a few at a time."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What upload_file was asked for."""

    client_id: UUID
    path: Path
    document_id: UUID | None
    original_name: str | None
    mime_type: str | None
    metadata: Metadata | None
    progress: Callable[[int, int], None] | None
    at_once: int
    idempotency_key: str | None

    @property
    def name(self) -> str:
        """What the document is called."""
        return self.original_name or self.path.name

    @property
    def guessed_type(self) -> str:
        """What the name says of the type."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the bytes go."""

    client_id: UUID
    document_id: UUID
    upload: models.Upload
    made_with: str | None
    """The ETag of the document if it was made for this upload."""


def uploading(session: Session, order: Upload) -> Exchange[Version]:
    """Carry an upload through to its version."""
    measured = yield from worked(partial(measure, order.path))
    place = yield from _announced(session, order, measured)
    try:
        yield from _sent(session, order, place.upload, measured.size)
        return (yield from _completed(session, place))
    except GeneratorExit:
        raise  # nobody is there to carry out more
    except BaseException:
        if order.idempotency_key is None:  # else it waits for whoever comes with the same key
            yield from _given_up(session, place)
        raise


def _announced(session: Session, order: Upload, measured: Measured) -> Exchange[_Place]:
    if order.document_id is not None:
        upload = yield from Content.create_upload.job(
            order.client_id,
            order.document_id,
            measured.size,
            measured.checksum_sha256,
            order.mime_type,
            idempotency_key=order.idempotency_key,
        )(session)
        return _Place(order.client_id, order.document_id, upload, None)
    made = yield from Documents.create_document.job(
        order.client_id,
        order.name,
        order.mime_type or order.guessed_type,
        order.metadata,
        size=measured.size,
        checksum_sha256=measured.checksum_sha256,
        idempotency_key=order.idempotency_key,
    )(session)
    if made.upload is None:
        raise TypeError("the service made a document without the upload that was asked for")
    return _Place(order.client_id, made.id, made.upload, made.etag)


def _sent(session: Session, order: Upload, upload: models.Upload, size: int) -> Exchange[None]:
    meter = Meter(size, order.progress)
    meter.add(0)
    if upload.upload is not None:
        yield from _piece(session, upload.upload, partial(slice_of, order.path, 0, size), meter)
        return
    pieces = [
        _piece(session, part, partial(slice_of, order.path, part.first, part.size), meter)
        for part in upload.parts
    ]
    try:
        yield Together(pieces, order.at_once, meter.stop)
    except StorageRefused:
        # Complete already, by an earlier call with this key, it takes no parts any more: then
        # completing it again answers the version, else that some are missing.
        if order.idempotency_key is None:
            raise


def _piece(
    session: Session, presigned: PresignedRequest, body: Callable[[], Iterator[bytes]], meter: Meter
) -> Exchange[None]:
    share = Share(meter)
    request = httpx.Request(presigned.method, presigned.url, headers=dict(presigned.headers))

    def came_further() -> bool:
        share.take_back()
        return False  # the object store keeps nothing of half a request

    sending = Sending(request, body, share.add)
    yield from insisting(session.retry, lambda: sent(sending), came_further)


def _completed(session: Session, place: _Place) -> Exchange[Version]:
    call = completing(place.client_id, place.document_id, place.upload.upload_id)
    patient = replace(session.retry, attempts=_PATIENCE * session.retry.attempts)
    try:
        return (yield from exchange(session, call, patient))
    except InvalidRequest as error:
        if error.code != "checksum_mismatch":
            raise
        raise FileChanged("the file changed while it was sent") from error


def _given_up(session: Session, place: _Place) -> Exchange[None]:
    """Leave nothing behind, as far as that can be done. If it is complete after all, it stays:
    an upload that has ended cannot be aborted, and the document's ETag is another then."""
    once = replace(session.retry, attempts=1)
    with suppress(DocshardError):
        abort = aborting(place.client_id, place.document_id, place.upload.upload_id)
        yield from exchange(session, abort, once)
        if place.made_with is not None:
            delete = Documents.delete_document.job(
                place.client_id, place.document_id, place.made_with
            )
            yield from delete(session)
