"""A certificate for a trial, or for one machine alone: the real ones lie on other hosts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.local.home import write_private

_BEFORE = timedelta(hours=1)


@dataclass(frozen=True)
class Subject:
    """Whose certificate it is, and for how many days."""

    name: str = "docshard trial"
    days: float = 1 / 24


_TRIAL = Subject()


def write_certificates(folder: Path, subject: Subject = _TRIAL) -> None:
    """Write key.pem and certificate.pem, signed by itself; for an hour when nothing is said."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject.name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=subject.days))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    write_private(folder / "certificate.pem", certificate.public_bytes(pem).decode())
    write_private(
        folder / "key.pem",
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
