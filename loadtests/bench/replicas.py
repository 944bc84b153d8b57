"""What tokens cost and what replicas take off the primary: `python -m loadtests.bench.replicas`.

Over HTTP, on a throwaway fleet with one shard and a replica. Forms take turns:

- `without a token`: one document after the other, from the primary;
- `with a token`: the same with the Consistency-Token of a write, from the replica;
- `mixed`: one write in five calls, each later read with the token of its client's newest write.

The goal for tokens is 0.97 of the reads without, and for the mixed load nine reads of ten from the
replica. Exit status 1 when one is missed.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import click
import httpx

from loadtests.bench.fleet import NoFleet, throwaway_shard
from loadtests.bench.rounds import by_turns, per_second, ratios, table
from loadtests.bench.tenants import new_tenants
from loadtests.target import Target

TOKEN_GOAL = 0.97
REPLICA_GOAL = 0.9
CALLERS = 8
_WRITE_EVERY = 5
_READS = ("without a token", "with a token")
_MIXED = "mixed"


@dataclass
class Caller:
    """One client's key and document, and the newest token it was given."""

    http: httpx.AsyncClient
    path: str
    token: str
    served: Counter[str] = field(default_factory=Counter)
    _calls: int = 0

    async def read(self, *, with_token: bool) -> None:
        """Read the document."""
        headers = {"Consistency-Token": self.token} if with_token else {}
        answer = (await self.http.get(self.path, headers=headers)).raise_for_status()
        self.served[answer.headers["Served-By"]] += 1

    async def write(self) -> None:
        """Make a document beside it."""
        body = {"original_name": "b.txt", "mime_type": "text/plain"}
        answer = await self.http.post(self.path.rpartition("/")[0], json=body)
        self.token = answer.raise_for_status().headers["Consistency-Token"]

    async def mix(self) -> None:
        """The next call of the mixed load."""
        if self._calls % _WRITE_EVERY:
            await self.read(with_token=True)
        else:
            await self.write()
        self._calls += 1


@click.command(help="Measure reads with and without tokens, and who serves a mixed load.")
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True)
@click.option("--seconds", type=float, default=1.0, show_default=True, help="Of each round.")
def main(rounds: int, seconds: float) -> None:
    """Start a fleet, measure, print."""
    try:
        with throwaway_shard(replicas=1) as shard:
            missed = asyncio.run(measure(shard.target, rounds, seconds))
    except NoFleet as error:
        raise click.ClickException(str(error)) from error
    if missed:
        raise click.ClickException("; ".join(missed))


async def measure(target: Target, rounds: int, seconds: float) -> list[str]:
    """Print the figures; answers which goals were missed."""
    async with callers_of(target) as callers:

        async def read(name: str) -> float:
            with_token = name == _READS[1]
            reads = [partial(one.read, with_token=with_token) for one in callers]
            return await per_second(reads, seconds)

        async def mix(_: str) -> float:
            return await per_second([one.mix for one in callers], seconds)

        reads = await by_turns(_READS, read, rounds)
        click.echo(f"Reads of one document over HTTP, {CALLERS} callers, {rounds} rounds")
        click.echo(table(reads))
        for caller in callers:
            caller.served.clear()
        mixed = await by_turns([_MIXED], mix, rounds)
        served = sum((caller.served for caller in callers), Counter[str]())
        share = served["replica"] / max(served.total(), 1)
        click.echo(table(mixed))
        click.echo(f"of {served.total():,} reads with tokens {share:.1%} came from the replica")
    return _missed(ratios(reads)[1], share)


def _missed(ratio: float, share: float) -> list[str]:
    found = []
    if ratio < TOKEN_GOAL:
        found.append(f"tokens leave {ratio:.2f} of the reads, the goal is {TOKEN_GOAL}")
    if share < REPLICA_GOAL:
        found.append(f"the replica serves {share:.1%}, the goal is {REPLICA_GOAL:.0%}")
    return found


@asynccontextmanager
async def callers_of(target: Target) -> AsyncIterator[list[Caller]]:
    """Callers, each of a client of its own: limits are per client and per key."""
    async with AsyncExitStack() as stack:
        callers = []
        for client_id, key in (await asyncio.to_thread(new_tenants, target, CALLERS)).items():
            headers = {"Authorization": f"Bearer {key}"}
            http = await stack.enter_async_context(
                httpx.AsyncClient(base_url=target.api, timeout=30, trust_env=False, headers=headers)
            )
            path = f"/v1/clients/{client_id}/documents"
            body = {"original_name": "a.txt", "mime_type": "text/plain"}
            made = (await http.post(path, json=body)).raise_for_status()
            token = made.headers["Consistency-Token"]
            callers.append(Caller(http, f"{path}/{made.json()['id']}", token))
        yield callers


if __name__ == "__main__":
    main()
