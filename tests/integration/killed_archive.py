"""Workers that archive, each killed at the first step that none before it had come to.

Run as a program; prints the steps in their order.
"""

from services.fleet.sweeps import archive_months
from services.resources import open_resources
from services.settings import DatabaseRole, Settings
from tests.integration.lives import Told, live_out


async def _archive(told: Told) -> None:
    async with open_resources(Settings(), DatabaseRole.WORKER) as resources:
        await archive_months(resources, told=told)


if __name__ == "__main__":
    live_out(_archive)
