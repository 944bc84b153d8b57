"""Moves ordered by the product's command, and what its worker made of them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import dict_row

from loadtests.bench.fleet import Fleet, NoFleet

_STANDING: LiteralString = """
    SELECT state, fault, actual, extract(epoch FROM switched_at)::float AS switched
      FROM docshard.moves WHERE id = ANY(%(ids)s) ORDER BY array_position(%(ids)s, id)
"""
_PHASES = ("copying", "catching_up", "verifying", "fenced")


@dataclass(frozen=True, slots=True)
class Moved:
    """What the fleet says of one move. Times are seconds, `begun` and `switched` of its clock;
    `_ms` are milliseconds, of the switch by its steps."""

    seconds: float
    copying: float
    rows: int
    pause_ms: float
    switch_ms: Mapping[str, float]
    begun: float
    switched: float


class Mover:
    """Orders moves with the product's command and waits for what its worker makes of them."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._directory = fleet.global_database()

    def order(self, clients: Sequence[str], target: str) -> list[str]:
        """Order one batch, or several when there are many clients; answers the moves' ids."""
        told = self._fleet.run("move", "create", *clients, "--to", target, "-o", "json")
        return [move["id"] for move in json.loads(told)["moves"]]

    async def until(self, ids: Sequence[str], *states: str) -> list[Moved]:
        """Wait until the moves are in one of these states; answers them in this order."""
        asked = {"ids": [UUID(one) for one in ids]}
        async with (
            await self._directory.async_session("docshard_admin") as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            while True:
                rows = await (await cursor.execute(_STANDING, asked)).fetchall()
                faults = {str(row["fault"]) for row in rows if row["state"] == "aborted"}
                if faults:
                    raise NoFleet(f"a move was aborted: {'; '.join(faults)}")
                # The pause is told a moment behind the switch.
                if all(row["state"] in states and "switch_ms" in row["actual"] for row in rows):
                    return [_moved(row) for row in rows]
                await asyncio.sleep(0.1)


def _moved(row: dict[str, Any]) -> Moved:
    actual, phases = row["actual"], row["actual"]["phases"]
    seconds = sum(phases.get(name, 0.0) for name in _PHASES)
    return Moved(
        seconds,
        phases["copying"],
        actual["rows"],
        actual["pause_ms"],
        actual["switch_ms"],
        row["switched"] - seconds,
        row["switched"],
    )


def other(shard: str) -> str:
    """The shard that is not this one."""
    return "shard-2" if shard == "shard-1" else "shard-1"


def homes(fleet: Fleet, clients: Sequence[str]) -> dict[str, str]:
    """Where these clients live."""
    listed = json.loads(fleet.run("client", "list", "--limit", "10000", "-o", "json"))["clients"]
    found = {str(one["id"]): str(one["shard"]) for one in listed}
    return {one: found[one] for one in clients}
