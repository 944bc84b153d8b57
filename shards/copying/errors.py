"""How a step of a move fails, told apart by what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

_SUPERSEDED = "DS011"
_NOT_SUBSCRIBED = "DS012"


class Superseded(Exception):
    """Another generation runs the move, or none does: stop, and change nothing more."""


class Unready(Exception):
    """A server is not ready for this step; nothing is broken. The message says what to do."""


class Severed(Exception):
    """The stream has lost its slot, as after each failover of its source: what was not sent yet is
    never sent. Wipe the target and start again."""


class Diverged(Exception):
    """A row differs between source and target though it should not. Names tables and digests of
    keys, never contents: wipe the target and start again."""


@contextmanager
def superseding() -> Iterator[None]:
    """Turn what the shard's functions refuse into `Superseded` and `Unready`."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate == _NOT_SUBSCRIBED:
            raise Unready(str(error.diag.message_primary)) from error
        if error.sqlstate != _SUPERSEDED:
            raise
        raise Superseded(str(error.diag.message_primary)) from error
