"""Leases on the worker's jobs."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from global_db import leases
from global_db.leases import Lease
from services.resources import Resources

__all__ = ["Lease", "hold"]


def hold(resources: Resources, name: str) -> AbstractAsyncContextManager[Lease | None]:
    """Hold the lease of a job while the block runs; None when another worker holds it."""
    return leases.hold(resources.data.global_db, name)
