"""What tokens cost and what replicas take off the primary: `python -m loadtests.bench.replicas`.

Over HTTP, on a throwaway fleet with one shard and a replica. Forms take turns:

- `without a token`: one document after the other, from the primary;
- `with a token`: the same with the Consistency-Token of a write, from the replica;
- `mixed`: one write in five calls, each later read with the token of its client's newest write.

The goal for tokens is 0.97 of the reads without, and for the mixed load nine reads of ten from the
replica. Exit status 1 when one is missed.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import click
import httpx

from docshard_client import Docshard
from loadtests.bench.fleet import NoFleet, throwaway_shard
from loadtests.bench.rounds import by_turns, ratios, table
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
            return await _rate(callers, seconds, lambda one, _: one.read(with_token=with_token))

        reads = await by_turns(_READS, read, rounds)
        click.echo(f"Reads of one document over HTTP, {CALLERS} callers, {rounds} rounds")
        click.echo(table(reads))
        for caller in callers:
            caller.served.clear()
        mixed = await by_turns([_MIXED], lambda _: _rate(callers, seconds, _call), rounds)
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


async def _call(caller: Caller, number: int) -> None:
    if number % _WRITE_EVERY:
        await caller.read(with_token=True)
    else:
        await caller.write()


async def _rate(
    callers: Sequence[Caller], seconds: float, call: Callable[[Caller, int], Awaitable[None]]
) -> float:
    """Calls a second, each caller making one after the other."""
    begun = time.perf_counter()

    async def work(caller: Caller) -> int:
        for number in count():
            if time.perf_counter() - begun > seconds:
                return number
            await call(caller, number)
        return 0

    done = await asyncio.gather(*(work(caller) for caller in callers))
    return sum(done) / (time.perf_counter() - begun)


@asynccontextmanager
async def callers_of(target: Target) -> AsyncIterator[list[Caller]]:
    """Callers, each of a client of its own: limits are per client and per key."""
    async with AsyncExitStack() as stack:
        callers = []
        for client_id, key in await asyncio.to_thread(_keys, target):
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


def _keys(target: Target) -> list[tuple[str, str]]:
    scopes = ("document:read", "document:write")
    with Docshard(target.api) as api:
        api.login(target.email, target.password)
        clients = [api.create_client(f"bench-{number}", "a tenant") for number in range(CALLERS)]
        return [
            (str(client.id), api.create_api_key(client.id, "bench", scopes).key)
            for client in clients
        ]


if __name__ == "__main__":
    main()
