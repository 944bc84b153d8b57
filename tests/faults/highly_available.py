"""A fleet under Patroni: who leads, and how to hurt it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import psycopg

from deploy.fleet.postgres import superuser_dsn
from deploy.local.home import Home
from deploy.local.parts import Parts, existing_parts
from deploy.local.patroni import PatroniServer
from tests.acceptance.fleet import LocalFleet, until

RETURN_SECONDS = 180.0  # of a busy machine; with time to spare a node is back within 15
_PAUSE_SECONDS = 0.3  # Patroni tries a connection to its server for each question


@dataclass(frozen=True)
class Shard:
    """One cluster of a fleet that fails over by itself."""

    fleet: LocalFleet
    name: str

    def primary(self) -> PatroniServer:
        """The node that leads now, waited for."""
        found: list[PatroniServer] = []

        def leads() -> bool:
            found[:] = [node for node in self.nodes() if node.leads()]
            return len(found) == 1

        until(leads, RETURN_SECONDS, _PAUSE_SECONDS)
        return found[0]

    def nodes(self) -> list[PatroniServer]:
        nodes = self._parts().clusters[self.name]
        return [node for node in nodes if isinstance(node, PatroniServer)]

    def await_whole(self) -> None:
        """Wait until one node leads and another has, and will have, all that is acknowledged."""
        until(self.whole, RETURN_SECONDS, _PAUSE_SECONDS)

    def whole(self) -> bool:
        roles = [member["role"] for member in self.primary().members()]
        states = {member["state"] for member in self.primary().members()}
        return sorted(roles) == ["leader", "sync_standby"] and states == {"running", "streaming"}

    def told(self, fact: str) -> Any:
        """What the primary's Patroni says of itself."""
        return httpx.get(f"http://{self.primary().api.text}/patroni").json().get(fact)

    def await_loops(self, count: int) -> None:
        """Wait until the primary's Patroni has looked around so many times."""
        seen: set[int] = set()

        def enough() -> bool:
            seen.add(self.told("dcs_last_seen"))
            return len(seen) > count

        until(enough, RETURN_SECONDS, _PAUSE_SECONDS)

    def kill_postmaster(self) -> None:
        """End the primary's server and nothing else."""
        lines = (self.primary().folder / "postmaster.pid").read_text().splitlines()
        psutil.Process(int(lines[0])).kill()

    def connect(self) -> psycopg.Connection[Any]:
        """As the superuser, to the primary itself."""
        password = self._parts().site.secrets.superuser
        return psycopg.connect(
            superuser_dsn(self.primary().node.address, password), autocommit=True
        )

    def _parts(self) -> Parts:
        return existing_parts(Home(self.fleet.home))


def keys_in_etcd(fleet: LocalFleet) -> list[str]:
    """Every key that the Patronis of the fleet keep there."""
    [etcd] = existing_parts(Home(fleet.home)).etcd
    first, behind = (base64.b64encode(text).decode() for text in (b"/", b"0"))
    answer = httpx.post(
        f"http://{etcd.member.address.text}/v3/kv/range",
        json={"key": first, "range_end": behind, "keys_only": True},
    )
    return [base64.b64decode(one["key"]).decode() for one in answer.json()["kvs"]]
