"""What an audit row's hash is made over stays the same, whichever revision's functions make it."""

from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from shards.history import HISTORY
from tests.integration.postgres import ADMIN, APP, SUPERUSER, Database, Postgres

pytestmark = pytest.mark.versions

CLIENT = UUID("01890000-0000-7000-8000-000000000001")
# Each with what texts of rows differ in: nothing given, numbers that JSON writes in several ways,
# characters that it escapes, an address with a net, a time whose fraction ends in noughts.
_WRITE: LiteralString = r"""
    INSERT INTO docshard.audit_logs
           (client_id, id, user_id, action, entity_type, entity_id, changes, ip_address, request_id,
            content_hash, created_at)
    VALUES (%(client)s, gen_random_uuid(), NULL, 'a', 'document', %(client)s, '{}', NULL, NULL,
            '', '2026-11-23 17:00:00+01'),
           (%(client)s, gen_random_uuid(), %(client)s, 'b', 'document', %(client)s,
            '{"after": {"n": 1.0, "m": 1e2, "s": "\"\\é\u2028"}}', '2001:db8::1/64', '"r"',
            '', '2026-11-23 17:00:00.120000Z')
"""
_SEEN: LiteralString = """
    SELECT action, content_hash, docshard.audit_content_hash(a),
           sha256(convert_to(docshard.audit_content(a), 'UTF8'))
      FROM docshard.audit_logs a ORDER BY action
"""


def write(shard: Database) -> None:
    with psycopg.connect(shard.conninfo(APP)) as app:
        app.execute("SELECT docshard.admit(%s, 1)", [CLIENT])
        app.execute("SELECT docshard.enter_write(%s, 1)", [CLIENT])
        app.execute(_WRITE, {"client": CLIENT})


def seen(shard: Database) -> list[tuple[Any, ...]]:
    """The rows: action, hash as it is kept, as it is made, as what is archived is hashed."""
    with psycopg.connect(shard.conninfo(SUPERUSER)) as superuser:
        rows = superuser.execute(_SEEN).fetchall()
    assert [row[0] for row in rows] == ["a", "b"]
    assert all(kept == made == archived for _, kept, made, archived in rows)
    return rows


def test_rows_of_before_are_hashed_as_they_were(postgres: Postgres) -> None:
    with postgres.database("template_shard") as shard:
        HISTORY.downgrade(shard.conninfo(ADMIN), "0010")
        write(shard)
        before = seen(shard)
        assert HISTORY.upgrade(shard.conninfo(ADMIN)) == HISTORY.head
        assert seen(shard) == before


def test_rows_are_kept_with_the_hash_of_their_text(postgres: Postgres) -> None:
    with postgres.database("template_shard") as shard:
        write(shard)
        seen(shard)
