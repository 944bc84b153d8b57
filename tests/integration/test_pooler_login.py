"""A real PgBouncer asks a real server who may log in, and no file of its holds their passwords."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.fleet.model import DATABASE, Address
from deploy.fleet.pgbouncer import ASKING_ROLE, parse_pooler
from deploy.fleet.pooler_diff import differences
from deploy.pooling.console import ask
from tests.integration.databases import ShardDatabase
from tests.integration.pooler import Pooled, pooled, until_it_answers
from tests.integration.postgres import Postgres, Site

REFUSED = r"password authentication failed|SASL|no such user"


@pytest.fixture(scope="module")
async def asking(postgres_site: Site, postgres: Postgres) -> AsyncIterator[Pooled]:
    with pooled(postgres_site, postgres, asks_servers=True) as made:
        await until_it_answers(made)
        yield made


def login(asking: Pooled, role: str, password: str | None = None) -> psycopg.Connection:
    given = {} if password is None else {"password": password}
    conninfo = make_conninfo(
        asking.shard.conninfo(role), port=asking.port, dbname=DATABASE, connect_timeout=5, **given
    )
    return psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)


@pytest.fixture
def expired(asking: Pooled) -> Iterator[str]:
    """A pooled role whose password has expired while the test runs."""
    role = "docshard_worker"
    valid = sql.SQL("ALTER ROLE {} VALID UNTIL {}")
    with psycopg.connect(asking.shard.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(valid.format(sql.Identifier(role), sql.Literal("2020-01-01")))
        yield role
        connection.execute(valid.format(sql.Identifier(role), sql.Literal("infinity")))


def test_a_service_gets_in_by_the_verifier_of_the_server(asking: Pooled) -> None:
    with login(asking, "docshard_app") as connection:
        row = connection.execute("SELECT current_user").fetchone()
    assert row == ("docshard_app",)


def test_a_wrong_password_is_refused(asking: Pooled) -> None:
    with pytest.raises(psycopg.OperationalError, match=REFUSED):
        login(asking, "docshard_app", "wrong")


@pytest.mark.parametrize("role", ["docshard_admin", "docshard_mover", "postgres", "nobody_at_all"])
def test_who_does_not_pass_a_pooler_is_refused_with_the_right_password(
    asking: Pooled, role: str
) -> None:
    with pytest.raises(psycopg.OperationalError, match=REFUSED):
        login(asking, role)


def test_an_expired_password_is_refused(asking: Pooled, expired: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=REFUSED):
        login(asking, expired)


def test_who_asks_may_do_nothing_else(asking: Pooled) -> None:
    with psycopg.connect(asking.shard.conninfo(ASKING_ROLE), autocommit=True) as connection:
        found = connection.execute("SELECT name FROM docshard.pooler_login('docshard_app')")
        assert found.fetchall() == [("docshard_app",)]
        for statement in (
            "SELECT 1 FROM docshard.documents",
            "SELECT 1 FROM pg_catalog.pg_authid",
            "CREATE TABLE public.mine ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_others_may_not_ask(asking: Pooled) -> None:
    with (
        login(asking, "docshard_app") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT docshard.pooler_login('docshard_worker')")


def test_a_pooler_that_runs_tells_how_it_was_configured(asking: Pooled) -> None:
    shard = asking.shard
    assert isinstance(shard, ShardDatabase)
    running = ask(Address(host="127.0.0.1", port=asking.port), shard.server.password)
    wanted = parse_pooler(Path(asking.configuration).read_text())
    assert differences(wanted, running) == []
    wanted["pgbouncer"]["max_client_conn"] = "123"
    wanted["pgbouncer"]["listen_port"] = "1"
    assert [(one.what, one.takes) for one in differences(wanted, running)] == [
        ("listen_port", "restart"),
        ("max_client_conn", "reload"),
    ]
