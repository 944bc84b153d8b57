"""The whole service on a database of the test's own, called through its application."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pyotp
import pytest
from fastapi import FastAPI
from pydantic import HttpUrl, SecretStr

from global_db import identities
from global_db.identities import NewUser
from router.app import create_app
from router.settings import RouterSettings
from services.identity import key_text
from services.identity.passwords import Passwords
from services.ids import new_id
from services.keys.envelope import FieldPlace
from services.keys.local_file import create_key_file
from services.resources import Resources
from services.s3_settings import S3Settings
from services.settings import Limits, SessionSettings, Settings, Timing
from tests.integration.postgres import Database

PASSWORD = "correct horse battery staple"
ADDRESS = "192.0.2.7"


@dataclass(frozen=True)
class User:
    """Somebody who may log in."""

    id: UUID
    email: str
    password: str = field(default=PASSWORD, repr=False)

    @property
    def credentials(self) -> dict[str, str]:
        return {"email": self.email, "password": self.password}


@dataclass(frozen=True)
class Service:
    """One worker: its application, and the resources that it holds."""

    app: FastAPI
    database: Database

    @property
    def resources(self) -> Resources:
        resources: Resources = self.app.state.edge.resources
        return resources

    def caller(self, bearer: str | None = None, address: str = ADDRESS) -> httpx.AsyncClient:
        """A client of the API that calls from this address."""
        transport = httpx.ASGITransport(self.app, client=(address, 1234))
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        return httpx.AsyncClient(
            transport=transport, base_url="http://docshard.test", headers=headers
        )

    async def post(
        self, path: str, body: Any = None, bearer: str | None = None, **options: str
    ) -> httpx.Response:
        async with self.caller(bearer, **options) as http:
            return await http.post(path, json=body)

    async def log_in(self, user: User, **more: str) -> dict[str, Any]:
        answer = await self.post("/v1/auth/login", user.credentials | more)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def status(self, bearer: str) -> int:
        """How the service answers to who comes with this."""
        async with self.caller(bearer) as http:
            return (await http.get("/v1/me")).status_code

    async def enrol(self, access_token: str) -> tuple[pyotp.TOTP, list[str]]:
        """Set up a second factor; gives the authenticator and the recovery codes."""
        begun = await self.post("/v1/auth/mfa", bearer=access_token)
        assert begun.status_code == 201, begun.text
        authenticator = pyotp.TOTP(begun.json()["secret"])
        body = {"totp": authenticator.now()}
        confirmed = await self.post("/v1/auth/mfa/confirm", body, access_token)
        assert confirmed.status_code == 200, confirmed.text
        return authenticator, confirmed.json()["recovery_codes"]

    async def add_user(self, email: str, *roles: str, password: str | None = PASSWORD) -> User:
        """Somebody with these roles on everything."""
        secrets, user_id = self.resources.secrets, new_id()
        row = NewUser(
            id=user_id,
            email=secrets.fields.seal(FieldPlace("users", "email", user_id), email),
            email_index=secrets.fields.email_index(email),
            password_hash=None if password is None else await _hashed(secrets.passwords, password),
        )
        async with self.resources.data.global_db.write() as connection:
            await identities.insert_user(connection, row)
            for role in roles:
                await identities.grant(
                    connection, id=new_id(), user_id=user_id, role=role, client_id=None
                )
        return User(user_id, email, password or "")

    async def api_key(self, maker: User) -> str:
        """A key of some client, without any scope."""
        key, client_id = key_text.generate(), new_id()
        await self.sql("INSERT INTO docshard.shards (name, nodes) VALUES ('shard-1', '[]')")
        await self.sql(
            "INSERT INTO docshard.clients (id, code, name, shard) VALUES (%s, 'c', 'C', 'shard-1')",
            client_id,
        )
        await self.sql(
            "INSERT INTO docshard.api_keys (id, client_id, name, key_hash, scopes, created_by)"
            " VALUES (%s, %s, 'k', %s, '{}', %s)",
            *(new_id(), client_id, key.digest, maker.id),
        )
        return key.text

    async def sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Run a statement past all rules, as the superuser; gives its rows."""
        async with self.database.session() as session:
            cursor = await session.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

    async def audit(self, action: str) -> list[dict[str, Any]]:
        """What the audit log has of this action, oldest first."""
        return await self.sql(
            "SELECT * FROM docshard.audit_logs WHERE action = %s ORDER BY created_at, id", action
        )


_HASHES: dict[str, str] = {}


async def _hashed(passwords: Passwords, password: str) -> str:
    """The password's hash, made once for all users of a test process: a tenth of a second each."""
    if password not in _HASHES:
        _HASHES[password] = await passwords.hash(password)
    return _HASHES[password]


def settings_for(database: Database, key_file: Path, **sessions: Any) -> Settings:
    """Settings of a worker that forgets principals at once, but for `sessions`."""
    return Settings(
        global_nodes=(database.address,),
        database=database.name,
        app_password=SecretStr(database.server.password),
        key_file=key_file,
        s3=S3Settings(
            endpoint=HttpUrl("http://127.0.0.1:9"),
            bucket="unused",
            access_key="unused",
            secret_key=SecretStr("unused"),
        ),
        limits=Limits(requests_per_second_per_principal=1000),
        timing=Timing(principal_lease_seconds=0.001),
        sessions=SessionSettings(**sessions),
    )


@asynccontextmanager
async def serving(database: Database, settings: Settings) -> AsyncIterator[Service]:
    """One worker, until the block ends."""
    app = create_app(settings, RouterSettings(router_workers=1))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield Service(app, database)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    create_key_file(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
async def service(global_db: Database, key_file: Path) -> AsyncIterator[Service]:
    """One worker with a global database of its own."""
    async with serving(global_db, settings_for(global_db, key_file)) as made:
        yield made


@pytest.fixture
async def user(service: Service) -> User:
    """Somebody without any role."""
    return await service.add_user("ada.lovelace@example.org")
