"""What a new cluster needs before any migration: the database, its roles, extensions and schema.

Run by a superuser, once for each cluster; running it again changes only passwords.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from global_db.columns import SCHEMA

DATABASE = "docshard"
_SQL = Path(__file__).parent / "sql"
OLDEST_SERVER = 150000  # server_version_num: UNIQUE NULLS NOT DISTINCT, and what moves need

# Attributes of each role. Only the mover passes row-level security and replicates; the search and
# the auditor role pass it too, but nobody can log in as them: they own the functions that search
# documents and that read the audit log of all tenants, and may only SELECT. The pooler role may do
# nothing but ask for verifiers, the backup role nothing but what pgBackRest does in a server whose
# files it reads.
ROLES: Mapping[str, str] = {
    "docshard_owner": "NOLOGIN",
    "docshard_admin": "LOGIN",
    "docshard_app": "LOGIN",
    "docshard_worker": "LOGIN",
    "docshard_mover": "LOGIN BYPASSRLS REPLICATION",
    "docshard_search": "NOLOGIN BYPASSRLS",
    "docshard_auditor": "NOLOGIN BYPASSRLS",
    "docshard_probe": "LOGIN",
    "docshard_pooler": "LOGIN",
    "docshard_backup": "LOGIN",
}
LOGINS = tuple(name for name, attributes in ROLES.items() if attributes.startswith("LOGIN"))

# Deadlines stand on the role, not in the connection string, because a pooler drops startup options.
# A runner of moves that is stopped in a transaction, or whose machine is gone, keeps nobody from
# taking its moves over: a claim holds a lock that every claim takes. Where movers may idle for
# longer, the session says so itself.
_DEADLINES: Mapping[str, Mapping[str, str]] = {
    role: {
        "lock_timeout": "2s",
        "statement_timeout": "5s",
        "idle_in_transaction_session_timeout": "10s",
    }
    for role in ("docshard_app", "docshard_worker", "docshard_probe", "docshard_pooler")
} | {"docshard_mover": {"idle_in_transaction_session_timeout": "3s"}}


class BootstrapRefused(Exception):
    """The server cannot be used; the message says what to do."""


def bootstrap(superuser: str, passwords: Mapping[str, str], database: str = DATABASE) -> None:
    """Prepare `database` on the cluster behind the connection string `superuser`.

    `passwords` holds one for each of `LOGINS`.

    Raises:
        BootstrapRefused: the server is too old, or not set up for logical replication.
    """
    with psycopg.connect(superuser, autocommit=True) as connection:
        _check(connection)
        for role, attributes in ROLES.items():
            _make_role(connection, role, attributes, passwords.get(role))
        _make_database(connection, database)
    with psycopg.connect(make_conninfo(superuser, dbname=database), autocommit=True) as connection:
        _make_schema(connection)


def _check(connection: psycopg.Connection) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise BootstrapRefused(f"PostgreSQL {version // 10000} is too old: install 15 or newer")
    row = connection.execute("SHOW wal_level").fetchone()
    if row is None or row[0] != "logical":
        raise BootstrapRefused("wal_level must be logical: set it and restart the server")


def _make_role(
    connection: psycopg.Connection, role: str, attributes: str, password: str | None
) -> None:
    name = sql.Identifier(role)
    found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER ROLE {} ") if found is not None else sql.SQL("CREATE ROLE {} ")
    connection.execute(verb.format(name) + _keywords(attributes))
    if password is not None:
        # Hashed here: the password itself never reaches the server's log.
        scram = connection.pgconn.encrypt_password(password.encode(), role.encode())
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(scram.decode()))
        )
    for key, value in _DEADLINES.get(role, {}).items():
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                name, sql.Identifier(key), sql.Literal(value)
            )
        )


def _keywords(attributes: str) -> sql.Composable:
    """Role attributes as SQL: constants of this module, no input."""
    return sql.SQL(" ").join([_ATTRIBUTES[word] for word in attributes.split()])


_ATTRIBUTES = {
    "LOGIN": sql.SQL("LOGIN"),
    "NOLOGIN": sql.SQL("NOLOGIN"),
    "BYPASSRLS": sql.SQL("BYPASSRLS"),
    "REPLICATION": sql.SQL("REPLICATION"),
}


def _make_database(connection: psycopg.Connection, database: str) -> None:
    # The admin becomes the owner to migrate; the owner may hand functions to the reading roles.
    connection.execute("GRANT docshard_owner TO docshard_admin")
    connection.execute("GRANT docshard_search, docshard_auditor TO docshard_owner")
    # Operators see how far replicas are behind.
    connection.execute("GRANT pg_monitor TO docshard_admin")
    connection.execute("GRANT pg_read_all_settings TO docshard_backup")
    found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone()
    if found is None:
        connection.execute(
            sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
                sql.Identifier(database)
            )
        )


def _make_schema(connection: psycopg.Connection) -> None:
    for statement in (
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        "CREATE EXTENSION IF NOT EXISTS btree_gin",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION docshard_owner",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO docshard_app, docshard_worker, docshard_admin,"
        " docshard_mover, docshard_search, docshard_auditor, docshard_pooler",
    ):
        connection.execute(statement)
    # Not migrations: the owner of the tables may not do or see what these do and look at.
    for name in ("places.sql", "moving.sql", "pooling.sql", "backups.sql"):
        connection.execute((_SQL / name).read_bytes())
    connection.execute(
        sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(
            sql.Identifier(connection.info.dbname)
        )
    )
