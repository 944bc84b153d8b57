"""The fleet's secrets: made once, kept in the home for its owner alone."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import Field, field_validator

from deploy.fleet.environment import BackupCredentials, Credentials
from deploy.fleet.model import Part
from deploy.local.home import Home, write_private
from services.keys.local_file import create_key_file

ROLES = (
    "docshard_admin",
    "docshard_app",
    "docshard_worker",
    "docshard_mover",
    "docshard_probe",
    "docshard_pooler",
    "docshard_backup",
)
ADMIN_EMAIL = "admin@docshard.test"


def _password() -> str:
    return secrets.token_urlsafe(24)


class Secrets(Part):
    """Passwords and keys of one local fleet."""

    superuser: str = Field(default_factory=_password)
    roles: dict[str, str] = Field(default_factory=lambda: {role: _password() for role in ROLES})
    patroni: str = Field(default_factory=_password)
    s3_access_key: str = Field(default_factory=lambda: secrets.token_hex(10).upper())
    s3_secret_key: str = Field(default_factory=_password)
    s3_encryption_key: str = Field(default_factory=lambda: secrets.token_hex(32))
    backup_access_key: str = Field(default_factory=lambda: secrets.token_hex(10).upper())
    backup_secret_key: str = Field(default_factory=_password)
    backup_passphrases: tuple[str, str] = Field(default_factory=lambda: (_password(), _password()))
    admin_email: str = ADMIN_EMAIL
    admin_password: str = Field(default_factory=_password)

    @field_validator("roles")
    @classmethod
    def _every_role(cls, known: dict[str, str]) -> dict[str, str]:
        """Homes lack roles that came later."""
        return {role: known.get(role) or _password() for role in ROLES}


class DemoSecret(Part):
    """The largest demo tenant and its API key, shown once by the API."""

    client_id: str
    key: str


def key_file(home: Home) -> Path:
    """The file of the local key provider."""
    return home.secrets / "keys"


def ensure_secrets(home: Home) -> Secrets:
    """The home's secrets; those that it lacks are made, and kept from then on."""
    path = home.secrets / "passwords.json"
    known = Secrets.model_validate_json(path.read_bytes()) if path.exists() else Secrets()
    text = known.model_dump_json(indent=2)
    if not path.exists() or path.read_text() != text:
        write_private(path, text)
    if not key_file(home).exists():
        create_key_file(key_file(home))
    return known


def credentials(home: Home, known: Secrets) -> Credentials:
    """What services need of them."""
    return Credentials(
        passwords=known.roles,
        s3_access_key=known.s3_access_key,
        s3_secret_key=known.s3_secret_key,
        key_file=key_file(home),
        backup=BackupCredentials(
            known.roles["docshard_backup"], known.backup_access_key, known.backup_secret_key
        ),
    )


def save_demo(home: Home, demo: DemoSecret) -> None:
    """Keep the demo tenant's key."""
    write_private(home.secrets / "demo.json", demo.model_dump_json(indent=2))


def load_demo(home: Home) -> DemoSecret | None:
    """The demo tenant's key, None before the demo data was made."""
    try:
        return DemoSecret.model_validate_json((home.secrets / "demo.json").read_bytes())
    except FileNotFoundError:
        return None
