"""Alembic's entry: everything it does is in `global_db.migration`."""

from global_db.migration import run_environment

run_environment()
