"""Policies are altered table by table: whoever holds one stops that, and nobody waits for two."""

import time

import psycopg
import pytest

from shards.history import HISTORY
from tests.integration.postgres import ADMIN, SUPERUSER, Postgres

pytestmark = pytest.mark.versions

_CHECKS = """
    SELECT count(*) FROM pg_policies
     WHERE schemaname = 'docshard' AND policyname = 'tenant' AND with_check NOT LIKE '%SELECT%'
"""


def test_a_table_in_use_is_not_waited_for_and_a_second_run_goes_on(postgres: Postgres) -> None:
    with postgres.database("template_shard") as shard:
        admin = shard.conninfo(ADMIN)
        HISTORY.downgrade(admin, "0010")
        with psycopg.connect(shard.conninfo(SUPERUSER)) as reader:
            reader.execute("SELECT FROM docshard.audit_logs")
            begun = time.monotonic()
            with pytest.raises(psycopg.errors.LockNotAvailable):
                HISTORY.upgrade(admin)
            assert time.monotonic() - begun < 6
            # Done are those before it, and nothing of them is held any more.
            assert reader.execute(_CHECKS).fetchone() == (4,)
            reader.execute("LOCK TABLE docshard.documents IN ACCESS EXCLUSIVE MODE NOWAIT")
        assert HISTORY.current(admin) == "0010"
        assert HISTORY.upgrade(admin) == HISTORY.head
        with psycopg.connect(shard.conninfo(SUPERUSER)) as reader:
            assert reader.execute(_CHECKS).fetchone() == (9,)
