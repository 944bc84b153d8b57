"""What the names of files say of a history is what Alembic reads in them."""

import pytest
from alembic.script import ScriptDirectory

from global_db.migration import GLOBAL_HISTORY, History
from shards.history import HISTORY as SHARD_HISTORY
from shards.registry import REVISIONS


@pytest.mark.parametrize("history", [GLOBAL_HISTORY, SHARD_HISTORY], ids=["global", "shard"])
def test_files_are_named_by_their_revisions_in_their_order(history: History) -> None:
    scripts = ScriptDirectory(str(history.folder))
    walked = [script.revision for script in scripts.walk_revisions()]
    assert history.revisions() == walked[::-1]
    assert history.head == scripts.get_current_head()


def test_the_registry_asks_for_what_migrations_make() -> None:
    assert REVISIONS.revisions() == SHARD_HISTORY.revisions()
