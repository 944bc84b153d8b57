"""What `docshard backup adopt` tells: who is served, and what is left to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import click

from deploy.cli.output import Format, show_json, show_rows
from deploy.local.beside import Lying
from services.fleet.adoption import Settled

_LOOK = ("docshard doctor", "docshard doctor --deep, when documents were purged since")


@dataclass(frozen=True)
class Adopted:
    """Clusters that were adopted, by the local fleet or not; `kept` are the lost servers' files,
    which a local fleet moves aside."""

    clusters: Sequence[Lying]
    local: bool
    kept: Sequence[str]


def show_adopted(adopted: Adopted, done: Mapping[str, Settled], output: Format) -> None:
    """Tell who is served from what was adopted, and what to do next."""
    rows = [
        {
            "shard": one.shard,
            "served": one.served,
            "opened": len(one.opened),
            "left_closed": len(one.closed),
            "lives_elsewhere": one.elsewhere,
            "erased_again": one.erased,
            "withdrawn_heads": len(one.withdrawn),
        }
        for one in done.values()
    ]
    steps = [*_LOOK] if adopted.local else [*_by_hand(adopted.clusters), *_LOOK]
    if output is Format.JSON:
        closed = [asdict(verdict) for one in done.values() for verdict in one.closed]
        more = {"left_closed": closed, "kept": list(adopted.kept), "next_steps": steps}
        show_json({"adopted": [one.cluster for one in adopted.clusters], "shards": rows, **more})
        return
    show_rows("shards", rows, output)
    for path in adopted.kept:
        click.echo(f"the lost server's files are kept: {path}", err=True)
    click.echo("\nnext:", err=True)
    for number, step in enumerate(steps, start=1):
        click.echo(f"{number:>3}  {step}", err=True)


def _by_hand(clusters: Sequence[Lying]) -> list[str]:
    """What only the hosts' own tools can do."""
    steps = []
    for one in clusters:
        name = one.cluster
        steps += [
            f"{name}: let Patroni forget the lost cluster: patronictl remove {name}",
            f"{name}: put {one.data} where its first node's Patroni has its data, and start that",
            f"{name}: start its other nodes with empty data folders: Patroni copies them anew",
            f"{name}: pgbackrest --stanza=docshard-{name} stanza-upgrade, then"
            f" `docshard backup now --full --cluster {name}` on its primary's host",
        ]
    return [*steps, "render poolers and Prometheus again where addresses have changed"]
