"""PgBouncer's console: what a running one says of itself."""

from __future__ import annotations

import psycopg

from deploy.errors import OperatorError
from deploy.fleet.model import Address
from deploy.fleet.pgbouncer import PROBE_ROLE
from deploy.fleet.pooler_diff import Offered, Running, Setting

_CONSOLE = "pgbouncer"
_SECONDS = 5


def ask(address: Address, password: str, *, tls: bool = False) -> Running:
    """Its settings and databases.

    Raises:
        OperatorError: it is not there, or does not let the probe role in.
    """
    try:
        connection = psycopg.connect(
            host=address.host,
            port=address.port,
            dbname=_CONSOLE,
            user=PROBE_ROLE,
            password=password,
            connect_timeout=_SECONDS,
            sslmode="require" if tls else "prefer",
            autocommit=True,
            # The console knows the simple protocol alone.
            cursor_factory=psycopg.ClientCursor,
        )
    except psycopg.OperationalError as error:
        raise OperatorError(
            f"The PgBouncer at {address.text} does not answer: {str(error).strip()}",
            "Nothing is known about what it runs with.",
            f"Look whether it runs, and whether {PROBE_ROLE} and its password are right.",
        ) from error
    with connection:
        return Running(_settings(connection), _databases(connection))


def _settings(connection: psycopg.Connection) -> dict[str, Setting]:
    rows = connection.execute("SHOW CONFIG").fetchall()
    # The column between is the default, where the version tells it.
    return {row[0]: Setting(row[1] or "", row[-1] == "yes") for row in rows}


def _databases(connection: psycopg.Connection) -> dict[str, Offered]:
    found = connection.execute("SHOW DATABASES")
    names = [column.name for column in found.description or ()]
    rows = (dict(zip(names, row, strict=True)) for row in found.fetchall())
    return {
        row["name"]: Offered(row["host"] or "", str(row["port"]), row["database"]) for row in rows
    }
