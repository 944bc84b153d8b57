"""The database's own limit: pgbench with the floors' statements, prepared, on the same tables."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

from psycopg.conninfo import conninfo_to_dict

from loadtests.bench.fleet import NoFleet
from loadtests.peers.statements import CREATE, LIST, READ, USER, Statement

CONNECTIONS = 8
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_MADE_THERE = {"id": "gen_random_uuid()", "audit_id": "gen_random_uuid()"}
_STATEMENTS: Mapping[str, tuple[Statement, Mapping[str, str]]] = {
    "point read": (READ, {}),
    "list of 50": (LIST, {}),
    "create": (CREATE, _MADE_THERE),
}
_CHANGES = (
    '{"before":null,"after":{"original_name":"quarterly-invoice harbour 417.pdf",'
    '"mime_type":"application/pdf","current_version":0,"size":null,"checksum_sha256":null,'
    '"metadata":{"project":"p4711","signed":true,"reference":417,"tags":["t7","all"]},'
    '"legal_hold":false,"retain_until":null,"deleted_at":null}}'
)


class Owner(Protocol):
    """Whose rows are read."""

    @property
    def client_id(self) -> UUID:
        """The client."""

    @property
    def documents(self) -> Sequence[UUID]:
        """Some of its documents."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What pgbench told."""

    per_second: float
    transactions: int


@dataclass(frozen=True, slots=True)
class PgBench:
    """The program, and the database it asks."""

    program: Path
    conninfo: str = field(repr=False)
    seconds: int

    def run(self, path: str, owner: Owner) -> Ran:
        """Run the path's statement for so long.

        Raises:
            NoFleet: pgbench fails.
        """
        statement, made_there = _STATEMENTS[path]
        values = {
            "client_id": str(owner.client_id),
            "id": str(owner.documents[0]),
            "most": "51",
            "original_name": "quarterly-invoice harbour 417.pdf",
            "mime_type": "application/pdf",
            "metadata": '{"project":"p4711","signed":true,"reference":417,"tags":["t7","all"]}',
            "user_id": USER,
            "changes": _CHANGES,
            "ip_address": "127.0.0.1",
            "request_id": USER,
        }
        with tempfile.TemporaryDirectory(prefix="docshard-bench-") as folder:
            script = Path(folder, "script.sql")
            script.write_text(statement.scripted(made_there) + ";\n")
            return self._told(script, {n: v for n, v in values.items() if n in statement.names})

    def _told(self, script: Path, values: Mapping[str, str]) -> Ran:
        command = [
            *(str(self.program), "-n", "-M", "prepared", "-f", str(script)),
            *("-c", str(CONNECTIONS), "-j", "1", "-T", str(self.seconds)),
            *(word for name, value in values.items() for word in ("-D", f"{name}={value}")),
        ]
        known = conninfo_to_dict(self.conninfo)
        place = {
            "PGHOST": str(known["host"]),
            "PGPORT": str(known["port"]),
            "PGUSER": str(known["user"]),
            "PGPASSWORD": str(known["password"]),
            "PGDATABASE": str(known["dbname"]),
        }
        done = subprocess.run(  # noqa: S603 - a program of the server's own folder, and no shell
            command, env={**os.environ, **place}, capture_output=True, text=True, check=False
        )
        rate, number = _TPS.search(done.stdout), _DONE.search(done.stdout)
        if done.returncode or rate is None or number is None:
            raise NoFleet(f"pgbench: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        return Ran(float(rate[1]), int(number[1]))
