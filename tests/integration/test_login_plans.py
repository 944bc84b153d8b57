"""Every statement of logging in finds its rows by an index."""

from datetime import timedelta
from uuid import UUID

from global_db import accounts, login_failures, password_links, sessions
from global_db.connection import WriteConnection
from global_db.login_failures import Counted, Kind
from global_db.password_links import NewLink
from global_db.sessions import NewRefreshToken
from services.ids import new_id
from tests.integration.explaining import explaining
from tests.integration.postgres import APP, Database

HASH = bytes(32)
DAY = timedelta(days=1)


async def test_no_statement_reads_a_whole_table(global_db: Database) -> None:
    async with global_db.session() as superuser:
        user_id = new_id()
        await superuser.execute(
            "INSERT INTO docshard.users (id, email, email_index) VALUES (%s, 'x', %s)",
            [user_id, HASH],
        )
    async with await explaining(global_db.conninfo(APP)) as session, session.transaction():
        await session.execute("SET LOCAL enable_seqscan = off")
        await _walk(WriteConnection(session), user_id)
        scans = [(node["Relation Name"], node["Node Type"]) for node in session.scans()]
    assert {name for name, _ in scans} >= {
        *("users", "sessions", "login_failures", "password_links", "recovery_codes"),
        *("roles", "user_roles"),
    }
    assert [scan for scan in scans if scan[1] == "Seq Scan"] == []


async def _walk(connection: WriteConnection, user_id: UUID) -> None:
    assert await accounts.by_email(connection, HASH) is not None
    assert await accounts.lock(connection, user_id) is not None
    await accounts.set_password(connection, user_id, "x")
    await accounts.enable_second_factor(connection, user_id, b"x", 7)
    assert await accounts.accept_step(connection, user_id, 8)
    assert not await accounts.accept_step(connection, user_id, 8)
    await accounts.replace_recovery_codes(connection, user_id, [HASH])
    assert await accounts.use_recovery_code(connection, user_id, HASH)
    assert not await accounts.use_recovery_code(connection, user_id, HASH)
    counted = Counted(Kind.ACCOUNT, HASH)
    assert (await login_failures.claim(connection, counted)).failures == 0
    await login_failures.count(connection, counted, 3)
    await login_failures.forgive(connection, counted)
    assert (await login_failures.claim(connection, counted)).failures == 2
    await login_failures.reset(connection, counted)
    await password_links.put(connection, NewLink(new_id(), user_id, HASH, user_id), DAY)
    assert await password_links.owner(connection, HASH) == user_id
    assert await password_links.use(connection, HASH)
    assert not await password_links.use(connection, HASH)
    await _walk_a_session(connection, user_id)


async def _walk_a_session(connection: WriteConnection, user_id: UUID) -> None:
    family = new_id()
    await sessions.start(connection, NewRefreshToken(family, family, user_id, HASH, None), DAY)
    assert await sessions.person(connection, family) is not None
    old = await sessions.by_hash(connection, HASH)
    assert old is not None
    follower = NewRefreshToken(new_id(), family, user_id, bytes(31) + b"1", None)
    await sessions.follow(connection, old, follower)
    newest = await sessions.newest(connection, family)
    assert newest is not None
    assert newest.id == follower.id
    assert await sessions.revoke_others(connection, user_id, family) == []
    assert await sessions.revoke(connection, family)
    assert await sessions.person(connection, family) is None
