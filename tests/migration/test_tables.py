"""Tables and migrations say the same, in both schemas."""

import psycopg
import pytest
import sqlalchemy as sa

import global_db.archive_tables
import global_db.audit_tables
import global_db.drill_tables
import global_db.erasure_tables
import global_db.move_tables
import global_db.restore_point_tables
import global_db.session_tables
import global_db.statistics_tables
import global_db.tables
import shards.move_tables
import shards.tables
from shards.history import HISTORY
from tests.integration.postgres import SUPERUSER, Postgres
from tests.migration import catalog

pytestmark = pytest.mark.versions

NAME_KEYS = HISTORY.folder / "sql" / "0004_name_keys.sql"


@pytest.mark.parametrize(
    ("metadata", "template"),
    [
        (global_db.tables.METADATA, "template_global"),
        (shards.tables.METADATA, "template_shard"),
    ],
    ids=["global", "shard"],
)
def test_replayed_migrations_make_the_tables_that_statements_are_built_from(
    postgres: Postgres, metadata: sa.MetaData, template: str
) -> None:
    with postgres.database() as empty, postgres.database(template) as migrated:
        engine = sa.create_engine(
            sa.URL.create(
                "postgresql+psycopg",
                SUPERUSER,
                postgres.password,
                "127.0.0.1",
                postgres.port,
                empty.name,
            ),
            poolclass=sa.NullPool,
        )
        with psycopg.connect(empty.conninfo(SUPERUSER)) as superuser:
            # What an index of the shard is made of.
            superuser.execute(NAME_KEYS.read_bytes())
        metadata.create_all(engine)
        made = catalog.read(empty, catalog.TABLES)
        replayed = catalog.read(migrated, catalog.TABLES)
    assert len(made["columns"]) > 40
    for kind in made:
        assert made[kind] == replayed[kind], set(made[kind]) ^ set(replayed[kind])
