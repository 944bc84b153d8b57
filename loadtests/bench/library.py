"""A shard full of documents to search: names, metadata and dates as offices have them.

The rows are filed by SQL alone and the same for the same size, so that figures can be repeated.
Words and values are drawn by Zipf's law: a few are everywhere, most are rare. One value,
`{"era": "first"}`, is common and yet only on the oldest tenth: the hardest case of a list that is
sorted by time.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import psycopg

COMMON_WORDS: tuple[str, ...] = (
    *("report", "invoice", "contract", "meeting", "budget", "quarterly", "annual", "summary"),
    *("draft", "final", "review", "plan", "project", "harbour", "minutes", "proposal"),
    *("agreement", "statement", "schedule", "inventory", "policy", "letter", "order", "receipt"),
    *("payroll", "estimate", "analysis", "drawing", "manual", "certificate"),
)
MIME_TYPES = (
    "application/pdf",
    "image/png",
    "text/plain",
    "text/csv",
    "application/zip",
    "application/vnd.ms-excel",
    "audio/flac",
)
_SYLLABLES = "ba be bro ca cen da del dor fa fin ga gri hol ka lan mar mi nor pel qui ra sto tu vel"
_WORDS = 3_000
_YEARS = 2

# The owner lifts its own wall and the guards for this one transaction; nobody else sees that.
_OPEN: tuple[LiteralString, ...] = (
    "SET LOCAL ROLE docshard_owner",
    "ALTER TABLE docshard.documents NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE docshard.documents DISABLE TRIGGER USER",
    "SELECT setseed(0.42)",
)
_CLOSE: tuple[LiteralString, ...] = (
    "ALTER TABLE docshard.documents ENABLE TRIGGER USER",
    "ALTER TABLE docshard.documents FORCE ROW LEVEL SECURITY",
)
# power(n, random()) falls on k with a probability of about 1 / (k ln n). Ids are UUIDv7 of the
# time of creation, a little later than it, as ids made beside a database's clock are.
_FILE: LiteralString = """
    INSERT INTO docshard.documents (client_id, id, original_name, mime_type, metadata, created_at,
           created_by, updated_at, deleted_at)
    SELECT client,
           (lpad(to_hex(floor(extract(epoch FROM created) * 1000)::bigint + floor(r * 5)::int), 12,
                 '0') || '7' || substr(md5(n::text || 'a'), 1, 3)
                 || 'a' || substr(md5(n::text), 1, 15))::uuid,
           words[power(%(words)s, random())::int] || '-' || words[power(%(words)s, random())::int]
               || ' ' || words[power(%(words)s, random())::int] || ' ' || n %% 1000
               || (ARRAY['.pdf', '.png', '.txt', '.csv', '.zip', '.xls', '.flac'])[kind],
           (%(mime_types)s::text[])[kind],
           jsonb_build_object('project', 'p' || floor(power(20000, random())), 'signed', r < 0.5,
                              'reference', n, 'tags', jsonb_build_array('t' || n %% 50, 'all'))
               || CASE WHEN n <= %(size)s / 10 THEN '{"era": "first"}' ELSE '{}' END::jsonb,
           created, client, created + r * interval '30 days',
           CASE WHEN n %% 20 = 0 THEN created + interval '60 days' END
      FROM (SELECT n, r, %(words_list)s::text[] AS words,
                   least(7, floor(power(8, random())))::int AS kind,
                   timestamptz '2024-01-01 UTC' + n * (%(span)s::interval / %(size)s) AS created,
                   (%(clients)s::uuid[])[CASE WHEN random() < %(largest)s THEN 1
                       ELSE 2 + floor(random() * (%(tenants)s - 1))::int END] AS client
              FROM (SELECT n, random() AS r FROM generate_series(1, %(size)s) AS n) AS numbered
           ) AS drawn
"""


@dataclass(frozen=True, slots=True)
class Library:
    """How many documents, whose, and which part of them is the first tenant's."""

    clients: Sequence[UUID]
    size: int
    largest: float


def words() -> list[str]:
    """The vocabulary, the commonest word first."""
    chosen = random.Random(7)
    syllables = _SYLLABLES.split()
    made = {"".join(chosen.choices(syllables, k=chosen.choice((2, 3, 3, 4)))) for _ in range(9_000)}
    rare = sorted(made)
    chosen.shuffle(rare)
    return [*COMMON_WORDS, *rare][:_WORDS]


@contextmanager
def _built_anew(admin: psycopg.Connection, index: str) -> Iterator[None]:
    """Build the index after the block: entered row by row, its keys take several times as long."""
    found = admin.execute("SELECT pg_get_indexdef(%s::regclass)", [index]).fetchone()
    if found is None:
        raise LookupError(index)
    admin.execute(f"DROP INDEX {index}".encode())
    yield
    admin.execute(found[0].encode())
    admin.execute(f"ALTER INDEX {index} ALTER COLUMN 1 SET STATISTICS 0".encode())


def fill(admin: psycopg.Connection, library: Library) -> None:
    """File the documents, as a role that may become the owner; tenants are admitted before."""
    vocabulary = words()
    values = {
        "clients": list(library.clients),
        "tenants": len(library.clients),
        "size": library.size,
        "largest": library.largest,
        "words": len(vocabulary),
        "words_list": vocabulary,
        "mime_types": list(MIME_TYPES),
        "span": f"{_YEARS * 365} days",
    }
    with admin.transaction():
        for statement in _OPEN:
            admin.execute(statement)
        with _built_anew(admin, "docshard.idx_documents_name_keys"):
            admin.execute(_FILE, values)
        for statement in _CLOSE:
            admin.execute(statement)
