"""Run the benchmarks on a throwaway fleet and print them: `python -m loadtests.bench`.

Exit status 1 when a goal is missed.
"""

import asyncio

import click

from loadtests.bench import fence
from loadtests.bench.fleet import NoFleet, throwaway_shard
from loadtests.bench.rounds import ratios, table


@click.command(help="Measure what the fence costs, as a ratio of forms that take turns.")
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True)
@click.option("--seconds", type=float, default=0.7, show_default=True, help="Of each round.")
def main(rounds: int, seconds: float) -> None:
    """Start a fleet, measure, print."""
    try:
        with throwaway_shard() as shard:
            forms = asyncio.run(fence.measure(shard, rounds, seconds))
    except NoFleet as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"One-row write transactions, {fence.CONNECTIONS} connections, {rounds} rounds")
    click.echo(table(forms))
    left = ratios(forms)[-1]
    if left < fence.GOAL:
        raise click.ClickException(f"the fence leaves {left:.2f}, the goal is {fence.GOAL}")


if __name__ == "__main__":
    main()
