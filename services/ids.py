"""Identifiers: UUIDv7, so that the order of ids is the order of creation."""

from __future__ import annotations

from uuid import UUID

import uuid_utils.compat as uuid_utils


def new_id() -> UUID:
    """A new id."""
    return uuid_utils.uuid7()
