"""What leaves with a copy of the global database: no e-mail, no number, no second factor."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.keys.material import Purpose
from tests.integration.postgres import SUPERUSER, Database, Site
from tests.integration.sealed_users import Office, User, office, some_users

_PLACE = """
    SELECT current_setting('data_directory') AS folder, oid AS database
    FROM pg_database WHERE datname = current_database()
"""


@pytest.fixture
async def held(global_db: Database, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(global_db, tmp_path) as made:
        yield made


def forms(users: list[User]) -> Iterator[bytes]:
    """Texts to look for, also as hexadecimal digits, as a dump writes bytes."""
    for user in users:
        for text in filter(None, (user.email, user.email.casefold(), user.mobile, user.mfa_secret)):
            yield text.encode()
            yield text.encode().hex().encode()


def dump(database: Database, site: Site) -> bytes:
    """The whole database as text."""
    program = site.engines.postgres_program("pg_dump")
    return subprocess.run(
        [program, database.conninfo(SUPERUSER)], capture_output=True, check=True
    ).stdout


def contents(folder: Path, database: int) -> Iterator[tuple[Path, bytes]]:
    """Every file of a server: tables, indexes, write-ahead log; not those of other databases."""
    others = {file for file in (folder / "base").iterdir() if file.name != str(database)}
    for file in folder.rglob("*"):
        if file.is_file() and others.isdisjoint(file.parents):
            yield file, file.read_bytes()


async def test_neither_a_dump_nor_the_servers_files_hold_plaintext(
    held: Office, postgres_site: Site
) -> None:
    users = some_users(10)
    await held.safe.add(held.fields, users)
    async with held.safe.database.session() as session:
        await session.execute("CHECKPOINT")
        row = await (await session.execute(_PLACE)).fetchone()
    assert row is not None
    dumped = dump(held.safe.database, postgres_site)
    assert str(users[0].id).encode() in dumped
    texts = list(forms(users))
    assert [text for text in texts if text in dumped] == []
    secrets = [held.keyring.current(purpose).secret for purpose in Purpose]
    assert not any(secret in dumped or secret.hex().encode() in dumped for secret in secrets)

    looked_at = 0
    for file, content in contents(Path(row["folder"]), row["database"]):
        looked_at += users[0].id.bytes in content
        assert [text for text in [*texts, *secrets] if text in content] == [], file
    assert looked_at > 0, "the rows are in none of the files, so nothing was proven"
