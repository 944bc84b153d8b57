"""Erasures of a client, each killed at the first step that none before it had come to.

Run as a program, with the client's id; prints the steps in their order.
"""

import sys
from datetime import timedelta
from uuid import UUID

from services.fleet.portability.erasure import ErasureOrder, erase_client
from services.fleet.portability.reach import Progress, open_reach
from services.settings import Settings
from tests.integration.lives import Told, live_out


async def _erase(told: Told) -> None:
    order = ErasureOrder(UUID(sys.argv[1]), "asked for it", timedelta(days=1), 35)
    async with open_reach(Settings()) as reach:
        await erase_client(reach, order, Progress(step=told))


if __name__ == "__main__":
    live_out(_erase)
