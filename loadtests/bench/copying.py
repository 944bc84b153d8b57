"""The same rows by binary COPY | COPY, from one shard to another: what a move is measured with."""

import time
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier

from loadtests.bench.fleet import Shard
from loadtests.bench.library import Library, fill

_COLUMNS: LiteralString = """
    SELECT column_name FROM information_schema.columns
     WHERE table_schema = 'docshard' AND table_name = 'documents' AND is_generated = 'NEVER'
"""
_CHOSEN = SQL(
    "COPY (SELECT {columns} FROM docshard.documents WHERE client_id = {client}) "
    "TO STDOUT (FORMAT binary)"
)
_FILED = SQL("COPY docshard.bench ({columns}) FROM STDIN (FORMAT binary)")

# As the service's own writes: entered, so that guards and row-level security let them in.
_HISTORY: tuple[LiteralString, ...] = (
    "SET LOCAL ROLE docshard_owner",
    """SELECT docshard.enter_write(client_id, epoch) FROM docshard.residency
        WHERE client_id = %(client)s""",
    """INSERT INTO docshard.document_versions (client_id, id, document_id, version_number, s3_key,
              checksum_sha256, size, mime_type, created_by)
       SELECT client_id, gen_random_uuid(), id, n, 'bench/' || id || '/' || n,
              sha256(id::text::bytea), 1000 * n, mime_type, created_by
         FROM docshard.documents, generate_series(1, 4) AS n WHERE client_id = %(client)s""",
    """INSERT INTO docshard.audit_logs (client_id, id, user_id, action, entity_type, entity_id,
              changes)
       SELECT client_id, gen_random_uuid(), created_by, 'document.update', 'document', id,
              jsonb_build_object('before', jsonb_build_object('version', n - 1),
                                 'after', jsonb_build_object('version', n))
         FROM docshard.documents, generate_series(1, 3) AS n WHERE client_id = %(client)s""",
)


@dataclass(frozen=True, slots=True)
class Rates:
    """Rows a second by COPY alone and by a move; and the seconds of the whole move."""

    bare: float
    moved: float
    total: float

    @property
    def ratio(self) -> float:
        """Of the move to COPY alone."""
        return self.moved / self.bare


def fill_documents(shard: Shard, client_id: str, rows: int) -> None:
    """File so many documents of one tenant."""
    with shard.session("docshard_admin") as admin:
        fill(admin, Library([UUID(client_id)], rows, 1.0))
        admin.execute("ANALYZE docshard.documents")


def fill_history(shard: Shard, client_id: str) -> None:
    """Give each of the tenant's documents four versions and three audit rows; the worker links
    these, which makes three rows more. With the document itself there are eleven."""
    with shard.session("docshard_admin") as admin, admin.transaction():
        for statement in _HISTORY:
            admin.execute(statement, {"client": UUID(client_id)})


def copied(source: Shard, target: Shard, client_id: str) -> float:
    """Rows a second by COPY | COPY into a table with the same indexes, which is dropped again."""
    with source.session("docshard_mover") as reader, target.session("docshard_admin") as writer:
        writer.execute("SET ROLE docshard_owner")
        writer.execute("CREATE TABLE docshard.bench (LIKE docshard.documents INCLUDING ALL)")
        try:
            return _copy(reader, writer, client_id)
        finally:
            writer.execute("DROP TABLE docshard.bench")


def _copy(reader: psycopg.Connection, writer: psycopg.Connection, client_id: str) -> float:
    columns = SQL(", ").join(Identifier(name) for (name,) in reader.execute(_COLUMNS))
    begun = time.perf_counter()
    chosen = _CHOSEN.format(columns=columns, client=UUID(client_id))
    with reader.cursor().copy(chosen) as out, writer.cursor() as cursor:
        with cursor.copy(_FILED.format(columns=columns)) as into:
            for block in out:
                into.write(block)
        return cursor.rowcount / (time.perf_counter() - begun)
