"""Where a request's time goes, for the edge; see `global_db.timing`."""

from __future__ import annotations

from global_db.timing import WAIT, Spent, collect, measured

__all__ = ["WAIT", "Spent", "collect", "measured"]
