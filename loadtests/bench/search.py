"""What a page of a list costs at a million documents: `python -m loadtests.bench.search`.

The pages are asked for over HTTP, as tenants ask for them, in the largest tenant and in one of the
usual size. What is reported is the time in the database, as the answers' Server-Timing says it: all
statements of a page together, with planning and the way there; and how long the shard's backends
were at work for it, by the kernel's count: that is the same on a busy machine.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import LiteralString, NamedTuple
from uuid import UUID

import click
import httpx
import psycopg

from loadtests.bench.fleet import NoFleet, Shard, throwaway_shard
from loadtests.bench.library import Library, fill
from loadtests.bench.tenants import administrator
from loadtests.results import aligned

GOAL_MS = 10.0
LIMIT = 50
_FIRST_PAGES, _PAGES = "first page", "later pages"
_DEPTH = 4
_BACKENDS: LiteralString = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND usename = 'docshard_app'
"""
_DB = re.compile(r"\bdb;dur=([0-9.]+)")

LISTS: Mapping[str, Mapping[str, str]] = {
    "newest": {},
    "by name": {"sort": "original_name"},
    "last updated, deleted too": {"sort": "-updated_at", "deleted": "include"},
    "rare type, newest": {"mime_type": "audio/flac"},
    "rare type, by name": {"mime_type": "audio/flac", "sort": "original_name"},
    "a day, by name": {
        "created_after": "2024-03-01T00:00:00Z",
        "created_before": "2024-03-02T00:00:00Z",
        "sort": "original_name",
    },
    "metadata, rare": {"metadata": '{"project":"p12345"}'},
    "metadata, 2 in 100, by name": {"metadata": '{"tags":["t7"]}', "sort": "original_name"},
    "metadata, half": {"metadata": '{"signed":true}'},
    "metadata, only on the oldest": {"metadata": '{"era":"first"}'},
    "q, everywhere": {"q": "report"},
    "q, everywhere, mistyped": {"q": "raport"},
    "q, 1 in 100": {"q": "certificate"},
    "q, 1 in 100, mistyped": {"q": "certifcate"},
    "q, rare": {"q": "tovelqui"},
    "q, two words": {"q": "quarterly invoice"},
    "q, one letter": {"q": "b"},
    "q, no letter": {"q": "%"},
    "q, nowhere": {"q": "zzzzzz"},
    "q, 1 in 100, by name": {"q": "certificate", "sort": "original_name"},
    "q and metadata": {"q": "certificate", "metadata": '{"signed":true}'},
}


class Taken(NamedTuple):
    """What one page took, in milliseconds."""

    waited: float
    """The router, for the database."""
    worked: float
    """The shard's backends."""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds in the database of one kind of page."""

    name: str
    kind: str
    taken: tuple[Taken, ...]

    def percentile(self, part: int) -> Taken:
        """The times that `part` of 100 pages do not exceed."""
        waited, worked = (
            quantiles(column, n=100, method="inclusive")[part - 1]
            for column in zip(*self.taken, strict=True)
        )
        return Taken(waited, worked)


@dataclass(frozen=True, slots=True)
class Pages:
    """Asks for pages of a tenant's list, and takes the time."""

    http: httpx.Client
    admin: psycopg.Connection
    path: str

    def get(self, query: Mapping[str, str]) -> tuple[httpx.Response, Taken]:
        """One page."""
        before = self._worked()
        answer = _get(self.http, self.path, query)
        found = _DB.search(answer.headers["Server-Timing"])
        waited = float(found[1]) if found else 0.0
        return answer, Taken(waited, (self._worked() - before) / 1e6)

    def _worked(self) -> int:
        """Nanoseconds on a processor of all backends that serve the router so far."""
        backends = self.admin.execute(_BACKENDS).fetchall()
        counts = (Path(f"/proc/{pid}/schedstat").read_text() for (pid,) in backends)
        return sum(int(count.split()[0]) for count in counts)


@click.command(help="Measure each list and search page on a shard of a million documents.")
@click.option("--size", type=click.IntRange(1000), default=1_000_000, show_default=True)
@click.option("--tenants", type=click.IntRange(2), default=200, show_default=True)
@click.option("--rounds", type=click.IntRange(2), default=20, show_default=True)
def main(size: int, tenants: int, rounds: int) -> None:
    """Start a fleet, fill its shard, measure, print."""
    try:
        with throwaway_shard() as shard:
            clients = _prepare(shard, size, tenants)
            for client_id, label in ((clients[0], "largest tenant"), (clients[-1], "usual tenant")):
                click.echo(f"\n{label} of {tenants}, {size:,} documents in all; ms in the database")
                click.echo(_table(list(_measure(shard, client_id, rounds))))
    except NoFleet as error:
        raise click.ClickException(str(error)) from error


def _prepare(shard: Shard, size: int, tenants: int) -> list[UUID]:
    target = shard.target
    with administrator(target) as api:
        clients = [api.create_client(f"bench-{n}", "a tenant").id for n in range(tenants)]
    with shard.session("docshard_admin") as admin:
        begun = time.monotonic()
        fill(admin, Library(clients, size, largest=0.2))
        admin.execute("SET ROLE docshard_owner")
        admin.execute("VACUUM (ANALYZE) docshard.documents")
        click.echo(f"filed {size:,} documents in {time.monotonic() - begun:.0f} s")
    return clients


def _measure(shard: Shard, client_id: UUID, rounds: int) -> Iterator[Times]:
    target = shard.target
    with (
        httpx.Client(base_url=target.api, timeout=30) as http,
        shard.session("docshard_admin") as admin,
    ):
        body = {"email": target.email, "password": target.password}
        token = http.post("/v1/auth/login", json=body).raise_for_status().json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        pages = Pages(http, admin, f"/v1/clients/{client_id}/documents")
        for name, asked in LISTS.items():
            first: list[Taken] = []
            later: list[Taken] = []
            # One round more, which only warms up.
            for number in range(rounds + 1):
                times = list(_walk(pages, asked))
                if number:
                    first += times[:1]
                    later += times[1:]
            yield Times(name, _FIRST_PAGES, tuple(first))
            if later:
                yield Times(name, _PAGES, tuple(later))


def _walk(pages: Pages, asked: Mapping[str, str]) -> Iterator[Taken]:
    """The times of the first few pages."""
    query = dict(asked, limit=str(LIMIT))
    for _ in range(_DEPTH):
        answer, taken = pages.get(query)
        yield taken
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return
        query["cursor"] = cursor


def _get(http: httpx.Client, path: str, query: Mapping[str, str]) -> httpx.Response:
    while (
        answer := http.get(path, params=dict(query))
    ).status_code == httpx.codes.TOO_MANY_REQUESTS:
        time.sleep(float(answer.headers["Retry-After"]))
    return answer.raise_for_status()


def _table(rows: list[Times]) -> str:
    head = ("list", "page", "p50", "p95", f"over {GOAL_MS:.0f}", "at work p50", "p95")
    return aligned([head, *map(_row, rows)])


def _row(times: Times) -> tuple[str, ...]:
    middle, high = times.percentile(50), times.percentile(95)
    over = "!" if high.waited > GOAL_MS else ""
    waited = (f"{middle.waited:.1f}", f"{high.waited:.1f}", over)
    return times.name, times.kind, *waited, f"{middle.worked:.1f}", f"{high.worked:.1f}"


if __name__ == "__main__":
    main()
