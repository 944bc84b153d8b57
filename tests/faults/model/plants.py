"""Faults that are planted into a history's own databases, to see whether the model notices them.

Each is what a mistake in a statement of ours would come to. The shards' and the directory's
functions are where the fence, the marker and the generations are decided, so a history is given
another one of them, or a trigger that undoes what a statement did.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from tests.integration.postgres import Database


@dataclass(frozen=True)
class Plant:
    """A fault by its name. `shard` and `directory` are run in each database of that kind.

    `told`: the history, by its name in `planted`, that brings about what the fault spoils.
    `sign`: what the model says of it, as a pattern. A history that fails for something else, as on
    a machine that is too busy, has not noticed it.
    """

    name: str
    told: str = ""
    sign: str = ""
    shard: str = ""
    directory: str = ""

    def __str__(self) -> str:
        return self.name

    def in_shard(self, database: Database) -> None:
        _run(database, self.shard)

    def in_directory(self, database: Database) -> None:
        _run(database, self.directory)


def _run(database: Database, text: str) -> None:
    if text:
        conninfo = database.server.conninfo(database=database.name)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(text.encode())


SOUND = Plant("none")

_AT_CHANGE = """
    CREATE FUNCTION public.planted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET session_replication_role = replica AS $$
    BEGIN {body} RETURN NEW; END $$;
    CREATE TRIGGER planted BEFORE UPDATE ON docshard.{table} FOR EACH ROW
    WHEN ({when}) EXECUTE FUNCTION public.planted()
"""


def _residency(when: str, body: str) -> str:
    return _AT_CHANGE.format(table="residency", when=when, body=body)


def _client(when: str, body: str) -> str:
    return _AT_CHANGE.format(table="clients", when=when, body=body)


_LOST = "made twice|lost|not_found|was acknowledged"
PLANTS = (
    Plant(
        "the fence lets writers in flight commit",
        "everybody_moves",
        _LOST,
        shard="""
            CREATE OR REPLACE FUNCTION docshard.lock_tenants(clients uuid[], patience_ms integer)
            RETURNS void LANGUAGE sql VOLATILE AS $$ SELECT $$
        """,
    ),
    Plant(
        "the target is opened before the marker",
        "everybody_moves",
        _LOST,
        # At the opening alone. The comparison, which only reads, waits for its markers: it would
        # take rows for missing that are on their way.
        shard="""
            ALTER FUNCTION docshard.await_marker RENAME TO await_marker_soundly;
            CREATE FUNCTION docshard.await_marker(
                stream uuid, wanted bigint, patience_ms integer)
            RETURNS void LANGUAGE plpgsql VOLATILE AS $$
            BEGIN
                IF pg_current_xact_id_if_assigned() IS NULL THEN
                    PERFORM docshard.await_marker_soundly(stream, wanted, patience_ms);
                END IF;
            END $$
        """,
    ),
    Plant(
        "who has left is let in by old placements",
        "everybody_moves",
        _LOST,
        shard="""
            CREATE OR REPLACE FUNCTION docshard.demand_open(client uuid, expected_epoch bigint)
            RETURNS void LANGUAGE plpgsql VOLATILE AS $$
            DECLARE
                found_state text;
            BEGIN
                SELECT state INTO found_state FROM docshard.residency WHERE client_id = client;
                IF found_state IS NULL OR found_state = 'importing' THEN
                    RAISE EXCEPTION 'not here' USING ERRCODE = 'DS001';
                ELSIF found_state = 'fenced' THEN
                    RAISE EXCEPTION 'at the switch' USING ERRCODE = 'DS003';
                END IF;
            END $$
        """,
    ),
    Plant(
        "an abort leaves the tenant fenced",
        "killed_behind_the_fence",
        "'fenced'",
        shard=_residency(
            "OLD.state = 'fenced' AND NEW.state = 'open'",
            "NEW.state := 'fenced'; NEW.move_id := OLD.move_id; NEW.generation := OLD.generation;",
        ),
    ),
    Plant(
        "Idempotency-Keys stay behind",
        "what_comes_along",
        "made twice|the same key",
        shard=_residency(
            "OLD.state = 'importing' AND NEW.state = 'open'",
            "DELETE FROM docshard.idempotency_keys WHERE client_id = NEW.client_id;",
        ),
    ),
    Plant(
        "a move ends a suspension",
        "what_comes_along",
        "suspended",
        directory=_client("NEW.shard <> OLD.shard", "NEW.status := 'active';"),
    ),
    Plant(
        "a move loses a pin",
        "what_comes_along",
        "pinned=False",
        directory=_client("NEW.shard <> OLD.shard", "NEW.pinned := false;"),
    ),
    Plant(
        "a pin that came before the move is overlooked",
        "pinned_before_the_move",
        "pinned=True",
        directory="""
            CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF EXISTS (SELECT FROM docshard.moves
                            WHERE id = NEW.move_id AND state = 'planned') THEN
                    RETURN NULL;
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER planted BEFORE UPDATE ON docshard.move_clients FOR EACH ROW
            WHEN (NEW.ended AND NOT OLD.ended) EXECUTE FUNCTION public.planted()
        """,
    ),
)
