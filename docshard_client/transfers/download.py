"""A version's bytes on their way to a file. No I/O but making and removing that file."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx

from docshard_client.call import Call, address
from docshard_client.exchange import exchange, renewed_in_time
from docshard_client.models import Version
from docshard_client.operations.content import Content, version_path
from docshard_client.operations.documents import Documents
from docshard_client.parameters import documents_path
from docshard_client.session import Session
from docshard_client.steps import Exchange, Fetching, Outcome, sent, worked
from docshard_client.transfers.files import Arriving
from docshard_client.transfers.meter import Meter
from docshard_client.transfers.storage import insisting


@dataclass(frozen=True, slots=True)
class Download:
    """What download_file was asked for."""

    client_id: UUID
    document_id: UUID
    path: Path
    number: int | None
    proxy: bool
    progress: Callable[[int, int], None] | None


def downloading(session: Session, order: Download) -> Exchange[Version]:
    """Carry a download through to the file."""
    version = yield from _version(session, order)
    # Made and removed here and not by steps: between a step and its outcome we may be given up, and
    # a file that nobody knows of would stay.
    arriving = Arriving(order.path)
    try:
        yield from _arrived(session, order, version, arriving)
        yield from worked(partial(arriving.settle, version.checksum_sha256))
        return version
    finally:
        arriving.close()


def _version(session: Session, order: Download) -> Exchange[Version]:
    number = order.number
    if number is None:
        document = yield from Documents.get_document.job(order.client_id, order.document_id)(
            session
        )
        number = document.current_version
    if number == 0:  # the service says best what that means
        yield from exchange(session, _content(order, None))
    return (yield from Content.get_version.job(order.client_id, order.document_id, number)(session))


def _arrived(
    session: Session, order: Download, version: Version, arriving: Arriving
) -> Exchange[None]:
    meter = Meter(version.size, order.progress)
    meter.reach(0)
    before = 0

    def attempt() -> Exchange[Outcome]:
        nonlocal before
        before = arriving.position
        request = yield from _request(session, order, version)
        if before:
            request.headers["Range"] = f"bytes={before}-"
        step = Fetching(request, arriving, lambda _: meter.reach(arriving.position))
        return (yield from sent(step))

    yield from insisting(session.retry, attempt, lambda: arriving.position > before)


def _request(session: Session, order: Download, version: Version) -> Exchange[httpx.Request]:
    """Where the bytes are now: presigned addresses live for a minute, so each attempt asks anew.

    Of one version in any case, whatever has become the newest meanwhile.
    """
    call = _content(order, version.version_number)
    if order.proxy:
        yield from renewed_in_time(session)
        request = session.request(call)
    else:
        request = httpx.Request("GET", (yield from exchange(session, call)))
    # Stored bytes as they are: a length and a range of something packed would mean nothing.
    request.headers["Accept-Encoding"] = "identity"
    return request


def _content(order: Download, number: int | None) -> Call[str]:
    above = (
        documents_path(order.client_id, order.document_id)
        if number is None
        else version_path(order.client_id, order.document_id, number)
    )
    params = {"proxy": "true"} if order.proxy and number is not None else {}
    return Call("GET", f"{above}/content", address, order.client_id, params=params, follows=False)
