"""Who answered a request's reads, for the edge; see `global_db.reading`."""

from __future__ import annotations

from global_db.reading import Served, collect_served, stalest

__all__ = ["Served", "collect_served", "stalest"]
