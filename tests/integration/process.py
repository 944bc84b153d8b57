"""A process's resources on test databases: real keys, no blobs needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import HttpUrl, SecretStr

from global_db.address import NodeAddress
from global_db.identities import Grant
from services.identity.principal import Caller, Origin, Principal
from services.ids import new_id
from services.keys.local_file import create_key_file
from services.resources import Resources, open_resources
from services.s3_settings import S3Settings
from services.settings import DatabaseRole, Settings, Timing
from tests.integration.postgres import Database

ALL_PERMISSIONS = frozenset(
    f"{noun}:{verb}"
    for noun, verbs in {
        "client": ("read", "edit"),
        "user": ("read", "edit"),
        "role": ("edit",),
        "document": ("read", "write", "delete", "purge"),
        "audit": ("read",),
        "report": ("read",),
        "key": ("edit",),
        "fleet": ("read", "operate"),
    }.items()
    for verb in verbs
)


@asynccontextmanager
async def resources_of(
    global_db: Database,
    folder: Path,
    timing: Timing | None = None,
    directory: NodeAddress | None = None,
) -> AsyncIterator[Resources]:
    """What a router holds; its keys are in `folder`. `directory` is another way to the database."""
    key_file = folder / "key"
    if not key_file.exists():
        create_key_file(key_file)
    password = SecretStr(global_db.server.password)
    settings = Settings(
        global_nodes=(directory or global_db.address,),
        timing=timing or Timing(),
        database=global_db.name,
        app_password=password,
        key_file=key_file,
        s3=nowhere(),
    )
    async with open_resources(settings, DatabaseRole.APP) as resources:
        yield resources


def nowhere() -> S3Settings:
    """An object store that nobody listens at."""
    return S3Settings(
        endpoint=HttpUrl("http://127.0.0.1:9"),
        bucket="blobs",
        access_key="none",
        secret_key=SecretStr("none"),
    )


def administrator() -> Caller:
    """One who may do everything, though no row says so."""
    return Caller(Principal(new_id(), None, (Grant("admin", None, ALL_PERMISSIONS),)), Origin())
