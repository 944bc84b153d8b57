"""Users with encrypted fields in a real global database, and processes that hold its keys."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import uuid_utils.compat as uuid_utils

from global_db.cluster import Cluster, PoolLimits
from global_db.sealed_values import SEALED_COLUMNS
from services.keys.fields import Fields, UserColumn, user_field
from services.keys.keyring import Keyring
from services.keys.local_file import LocalFileProvider, create_key_file
from services.keys.provider import KeyProvider
from services.keys.store import GlobalKeyStore
from services.resources import Data
from shards.placement import CacheLimits, PlacementCache
from shards.registry import ShardRegistry
from shards.tenants import FenceLimits, Tenants
from tests.command import run_docshard
from tests.integration.postgres import ADMIN, Database

COLUMNS: tuple[UserColumn, ...] = ("email", "mobile", "mfa_secret")
_INSERT = """
    INSERT INTO docshard.users
        (id, email, email_index, mobile, mobile_index, mfa_secret, deleted_at)
    VALUES (%s, %s, %s, %s, %s, %s, CASE WHEN %s THEN now() END)
"""


@dataclass(frozen=True)
class User:
    """A user's fields in the clear."""

    id: UUID
    email: str
    mobile: str | None
    mfa_secret: str | None
    deleted: bool = False


@dataclass
class Safe:
    """A global database, the key file of its processes, and who is in it."""

    database: Database
    key_file: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def provider(self) -> KeyProvider:
        """What wraps this database's keys."""
        return LocalFileProvider(self.key_file)

    @asynccontextmanager
    async def data(self, role: str = ADMIN) -> AsyncIterator[Data]:
        """The databases as a process holds them; there are no shards."""
        login, limits = self.database.login(role), PoolLimits()
        cluster = Cluster("global", [self.database.address], login, limits)
        async with cluster, ShardRegistry(cluster, login, limits) as registry:
            placements = PlacementCache(cluster, CacheLimits())
            yield Data(cluster, registry, placements, Tenants(placements, registry, FenceLimits()))

    async def keyring(self, data: Data, provider: KeyProvider | None = None) -> Keyring:
        """The keys of one more process."""
        keyring = Keyring(GlobalKeyStore(data.global_db), provider or self.provider())
        await keyring.load()
        return keyring

    async def add(self, fields: Fields, users: Sequence[User]) -> None:
        """Write users as the service does."""
        rows = [_row(fields, user) for user in users]
        async with self.database.session() as session, session.cursor() as cursor:
            await cursor.executemany(_INSERT, rows)

    async def read(self, fields: Fields) -> dict[UUID, User]:
        """Every user in the clear."""
        async with self.database.session() as session:
            rows = await (await session.execute("SELECT * FROM docshard.users")).fetchall()
        users = {}
        for row in rows:
            opened: dict[str, str | None] = {
                column: None
                if row[column] is None
                else await fields.unseal(user_field(column, row["id"]), row[column])
                for column in COLUMNS
            }
            users[row["id"]] = User(row["id"], **opened, deleted=row["deleted_at"] is not None)  # type: ignore[arg-type]  # an e-mail address is never NULL
        return users

    async def sealed_by(self) -> dict[UUID, int]:
        """How many values each key has sealed."""
        counted: dict[UUID, int] = {}
        async with self.database.session() as session:
            for column in SEALED_COLUMNS:
                cursor = await session.execute(
                    f"SELECT substring({column.name} from 2 for 16) AS key, count(*) AS values"  # noqa: S608
                    f" FROM docshard.users WHERE {column.name} IS NOT NULL GROUP BY 1"
                )
                for row in await cursor.fetchall():
                    key = UUID(bytes=row["key"])
                    counted[key] = counted.get(key, 0) + row["values"]
        return counted

    async def keys(self) -> dict[UUID, str]:
        """Field-encryption keys with their states, oldest first."""
        async with self.database.session() as session:
            cursor = await session.execute(
                "SELECT id, CASE WHEN activated_at IS NULL THEN 'published'"
                " WHEN retired_at IS NULL THEN 'in use' ELSE 'retired' END AS state"
                " FROM docshard.data_keys WHERE purpose = 'field_encryption' ORDER BY id"
            )
            return {row["id"]: row["state"] for row in await cursor.fetchall()}

    async def audited(self, action: str) -> list[dict[str, object]]:
        """The audit rows of an action, oldest first."""
        async with self.database.session() as session:
            cursor = await session.execute(
                "SELECT * FROM docshard.audit_logs WHERE action = %s ORDER BY created_at, id",
                [action],
            )
            return await cursor.fetchall()

    def variables(self) -> dict[str, str]:
        """The environment of a process that works on this database."""
        password = self.database.server.password
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DOCSHARD_GLOBAL_NODES": json.dumps([self.database.address.model_dump(mode="json")]),
            "DOCSHARD_DATABASE": self.database.name,
            "DOCSHARD_APP_PASSWORD": password,
            "DOCSHARD_ADMIN_DB_PASSWORD": password,
            "DOCSHARD_KEY_FILE": str(self.key_file),
            "DOCSHARD_S3_ENDPOINT": "http://127.0.0.1:1",
            "DOCSHARD_S3_BUCKET": "docshard",
            "DOCSHARD_S3_ACCESS_KEY": "unused",
            "DOCSHARD_S3_SECRET_KEY": "unused",
            **self.environment,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `docshard …` to its end."""
        return run_docshard(arguments, self.variables(), seconds=60)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run `docshard …` for the length of the block; then it is killed."""
        process = subprocess.Popen(
            _command(*arguments),
            env=self.variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Office:
    """A process that holds the keys of the database."""

    safe: Safe
    data: Data
    keyring: Keyring

    @property
    def fields(self) -> Fields:
        """Seals and opens."""
        return Fields(self.keyring)


@asynccontextmanager
async def office(database: Database, folder: Path) -> AsyncIterator[Office]:
    """A database with keys, and an administrator's process."""
    safe = Safe(database, folder / "key")
    create_key_file(safe.key_file)
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(safe.data())
        yield Office(safe, data, await safe.keyring(data))


def some_users(number: int) -> list[User]:
    """Users with all fields, some without mobile or second factor, some deleted."""
    return [
        User(
            id=uuid_utils.uuid7(),
            email=f"Person-{n}@Example.org",
            mobile=f"+4930{1_000_000 + n}" if n % 3 else None,
            mfa_secret=f"JBSWY3DPEHPK3P{n:06}" if n % 2 else None,
            deleted=n % 5 == 0,
        )
        for n in range(number)
    ]


def _row(fields: Fields, user: User) -> list[object]:
    def sealed(column: UserColumn, text: str | None) -> bytes | None:
        return None if text is None else fields.seal(user_field(column, user.id), text)

    return [
        user.id,
        sealed("email", user.email),
        fields.email_index(user.email),
        sealed("mobile", user.mobile),
        None if user.mobile is None else fields.mobile_index(user.mobile),
        sealed("mfa_secret", user.mfa_secret),
        user.deleted,
    ]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "deploy.cli.main", *arguments]
