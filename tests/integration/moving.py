"""The steps of a move that tests take by hand, in SQL, as a mover takes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import uuid_utils.compat as uuid_utils

from global_db.connection import RawConnection

LOCK = "SELECT pg_advisory_xact_lock(docshard.tenant_lock(%s))"
SET_STATE = """
    INSERT INTO docshard.residency (client_id, epoch, state, move_id, generation)
    VALUES (%(client)s, %(epoch)s, %(state)s, %(move)s, 1)
    ON CONFLICT (client_id) DO UPDATE
        SET epoch = excluded.epoch, state = excluded.state, move_id = excluded.move_id,
            generation = excluded.generation, changed_at = now()
"""


async def set_state(mover: RawConnection, client_id: UUID, state: str, epoch: int = 1) -> None:
    """Write the tenant's residency, whatever it was."""
    await mover.execute(
        SET_STATE,
        {"client": client_id, "epoch": epoch, "state": state, "move": uuid_utils.uuid7()},
    )


async def fence(mover: RawConnection, client_id: UUID, epoch: int = 1) -> None:
    """Fence the tenant: waits for writers in flight."""
    async with fencing(mover, client_id, epoch):
        pass


@asynccontextmanager
async def fencing(mover: RawConnection, client_id: UUID, epoch: int = 1) -> AsyncIterator[None]:
    """Hold the tenant's lock, its row written as `fenced`, and commit when the block ends."""
    async with mover.transaction():
        await mover.execute(LOCK, [client_id])
        await set_state(mover, client_id, "fenced", epoch)
        yield
