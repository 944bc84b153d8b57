"""What S3 really holds of an upload, compared with what was announced (I8)."""

from __future__ import annotations

from dataclasses import dataclass

from services.blobs.kind import contradicts, detect
from services.blobs.store import BlobAbsent
from services.errors import ChecksumMismatch, ContentRefused, ServiceError, UploadIncomplete
from services.resources import Resources
from shards.uploads import Upload


class WrongContent(Exception):
    """What lies there is not what was announced and never will be; `refusal` says why."""

    def __init__(self, refusal: ServiceError) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Proof:
    """What a blob is: length in bytes, SHA-256, and what it looks like."""

    size: int
    sha256: bytes
    detected_type: str | None


async def verify(resources: Resources, upload: Upload) -> Proof:
    """Prove that the blob of a presigned upload is there and is the one announced.

    S3's own digest counts when it is one of the whole, which S3 made when the bytes came. Else the
    whole is read.

    Raises:
        UploadIncomplete: nothing, or not all of it, has arrived.
        WrongContent, StorageUnavailable, Overloaded.
    """
    try:
        proof = await _look(resources, upload)
    except BlobAbsent as error:
        raise UploadIncomplete("Nothing has arrived at the object store yet.") from error
    if (proof.size, proof.sha256) != (upload.size, upload.checksum_sha256):
        wanted = "" if upload.checksum_sha256 is None else upload.checksum_sha256.hex()
        raise WrongContent(
            ChecksumMismatch(
                f"{proof.size} bytes with SHA-256 {proof.sha256.hex()} have arrived, "
                f"not {upload.size} with {wanted}."
            )
        )
    refuse_disguise(upload.mime_type, proof.detected_type)
    return proof


def refuse_disguise(declared: str, detected: str | None) -> None:
    """Refuse bytes that pass for what they are not.

    Raises:
        WrongContent.
    """
    if contradicts(declared, detected):
        raise WrongContent(ContentRefused(f"This is {detected}, declared as {declared}."))


async def _look(resources: Resources, upload: Upload) -> Proof:
    blobs = resources.blobs
    if upload.s3_upload_id is not None and upload.size is not None:
        await blobs.direct.assemble(upload.s3_key, upload.s3_upload_id, upload.size)
    else:
        info = await blobs.head(upload.s3_key)
        if info is None:
            raise BlobAbsent(upload.s3_key)
        if info.sha256 is not None:
            head = await blobs.direct.head_bytes(upload.s3_key) if info.size else b""
            return Proof(info.size, info.sha256, detect(head))
    seen = await blobs.direct.see(upload.s3_key)
    return Proof(seen.size, seen.sha256, detect(seen.head))
