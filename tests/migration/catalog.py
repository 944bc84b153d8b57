"""What a database's schema is, as the server's own catalogs tell it."""

from collections.abc import Mapping
from typing import LiteralString

import psycopg

from tests.integration.postgres import SUPERUSER, Database

Catalog = dict[str, list[tuple[object, ...]]]

# What tables are; partitions and Alembic's own table aside.
TABLES: Mapping[str, LiteralString] = {
    "columns": """
        SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace = 'docshard'::regnamespace AND c.relkind IN ('r', 'p')
           AND NOT c.relispartition AND c.relname <> 'alembic_version'
         ORDER BY 1, 2
    """,
    "constraints": """
        SELECT c.relname, n.conname, n.contype, pg_get_constraintdef(n.oid)
          FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid
         WHERE c.relnamespace = 'docshard'::regnamespace AND NOT c.relispartition
           -- NOT NULL is told of columns; from 18 on it is a constraint too.
           AND n.contype <> 'n' AND c.relname <> 'alembic_version'
         ORDER BY 1, 2
    """,
    "indexes": """
        SELECT c.relname, pg_get_indexdef(i.indexrelid)
          FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         WHERE c.relnamespace = 'docshard'::regnamespace AND NOT c.relispartition
           AND c.relname <> 'alembic_version'
         ORDER BY 1, 2
    """,
    "partitioning": """
        SELECT c.relname, pg_get_partkeydef(c.oid) FROM pg_class c
         WHERE c.relnamespace = 'docshard'::regnamespace AND c.relkind = 'p'
         ORDER BY 1
    """,
}

# And what stands around them.
WHOLE: Mapping[str, LiteralString] = {
    **TABLES,
    "relations": """
        SELECT c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity,
               pg_get_userbyid(c.relowner), (SELECT array_agg(x ORDER BY x::text)
                                               FROM unnest(c.relacl) AS x)::text,
               pg_get_expr(c.relpartbound, c.oid)
          FROM pg_class c
         WHERE c.relnamespace = 'docshard'::regnamespace AND c.relname NOT LIKE 'alembic_version%%'
         ORDER BY 1
    """,
    "column grants": """
        SELECT c.relname, a.attname, a.attacl::text
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'docshard'::regnamespace AND a.attacl IS NOT NULL
         ORDER BY 1, 2
    """,
    "functions": """
        SELECT p.oid::regprocedure::text,
               CASE p.prokind WHEN 'a' THEN (SELECT row(a.aggtransfn, a.aggtranstype)::text
                                               FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
                              ELSE pg_get_functiondef(p.oid) END,
               pg_get_userbyid(p.proowner),
               (SELECT array_agg(x ORDER BY x::text) FROM unnest(p.proacl) AS x)::text
          FROM pg_proc p WHERE p.pronamespace = 'docshard'::regnamespace
         ORDER BY 1
    """,
    "triggers": """
        SELECT t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled
          FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE c.relnamespace = 'docshard'::regnamespace AND NOT t.tgisinternal
         ORDER BY 1, 2
    """,
    "policies": """
        SELECT tablename, policyname, permissive, roles, cmd, qual, with_check
          FROM pg_policies WHERE schemaname = 'docshard'
         ORDER BY 1, 2
    """,
    "types": """
        SELECT t.typname, t.typtype FROM pg_type t
         WHERE t.typnamespace = 'docshard'::regnamespace AND t.typname NOT LIKE '%%alembic_version'
         ORDER BY 1
    """,
}


def read(database: Database, what: Mapping[str, LiteralString]) -> Catalog:
    """The answers of the catalogs, by name."""
    with psycopg.connect(database.conninfo(SUPERUSER)) as connection:
        return {
            name: connection.execute(question.replace("%%", "%")).fetchall()
            for name, question in what.items()
        }
