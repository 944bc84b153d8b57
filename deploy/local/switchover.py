"""A planned change of a cluster's primary: Patroni hands over, we choose and await."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from deploy.errors import NotFound, OperatorError, Refused
from deploy.local import rest
from deploy.local.parts import Parts
from deploy.local.patroni import PatroniServer
from deploy.local.waiting import awaited

_TAKEOVER_SECONDS = 30.0


@dataclass(frozen=True)
class Switchover:
    """Who hands over to whom."""

    cluster: str
    before: PatroniServer
    after: PatroniServer

    def steps(self) -> list[str]:
        """What `run` does."""
        before, after = self.before.name, self.after.name
        return [
            f"ask Patroni to make {after} the primary of {self.cluster} in place of {before}",
            f"await that {after} takes writes; {before} then follows it",
            "write shard.switchover into the global audit log",
        ]

    def run(self) -> float:
        """Hand over; returns the seconds until the new primary took writes.

        Raises:
            Refused: Patroni did not begin.
            OperatorError: it did not come to an end that is known.
        """
        begun = time.monotonic()
        wish = {"leader": self.before.name, "candidate": self.after.name}
        try:
            answer = self.before.ask(rest.Order("POST", "/switchover", wish))
        except rest.Unreachable as error:
            raise self._unknown(str(error)) from error
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            raise Refused(f"Patroni refused: {answer.text}.", "Nothing was changed.")
        if answer.status != HTTPStatus.OK:
            raise self._unknown(answer.text)
        if not awaited(self.after.leads, _TAKEOVER_SECONDS):
            raise self._unknown(f"{self.after.name} does not take writes yet")
        return time.monotonic() - begun

    def _unknown(self, words: str) -> OperatorError:
        return OperatorError(
            f"The switchover of {self.cluster} did not end well: {words}.",
            f"Either {self.before.name} or {self.after.name} leads; Patroni settles which.",
            f"`docshard status` shows it; {self.before.log} and {self.after.log} tell why.",
        )


def plan_switchover(parts: Parts, cluster: str, to: str | None) -> Switchover:
    """Who would hand over to whom; changes nothing.

    Raises:
        NotFound: no such cluster or node in it.
        Refused: it cannot be done without losing an acknowledged write, or not at all.
    """
    nodes = _nodes(parts, cluster)
    before = next((node for node in nodes.values() if node.leads()), None)
    if before is None:
        raise Refused(
            f"{cluster} has no primary now.",
            "There is nobody to hand over.",
            "`docshard status` shows its nodes; Patroni chooses a primary by itself.",
        )
    if to is None:
        return Switchover(cluster, before, nodes[_candidate(cluster, before.members())])
    if to not in nodes:
        raise NotFound(f"{cluster} has no node {to!r}.", "", f"Its nodes: {', '.join(nodes)}")
    if to == before.name:
        raise Refused(f"{to} is the primary of {cluster} already.", "Nothing was changed.")
    return Switchover(cluster, before, nodes[to])


def _nodes(parts: Parts, cluster: str) -> dict[str, PatroniServer]:
    if cluster not in parts.clusters:
        raise NotFound(f"There is no shard {cluster}.", "", f"Known: {', '.join(parts.clusters)}")
    nodes = parts.clusters[cluster]
    managed = {node.name: node for node in nodes if isinstance(node, PatroniServer)}
    if not managed:
        raise Refused(
            f"{cluster} runs without Patroni.",
            "A change of its primary by hand could lose acknowledged writes.",
            "`docshard up --ha` puts the fleet under Patroni; its data stays.",
        )
    return managed


def _candidate(cluster: str, members: list[dict[str, Any]]) -> str:
    for member in members:
        if member["role"] == "sync_standby":
            return str(member["name"])
    raise Refused(
        f"No replica of {cluster} is known to have every acknowledged write.",
        "A switchover now could lose some.",
        "Start its replicas and wait until they have caught up: `docshard status`.",
    )
