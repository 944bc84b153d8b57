"""The local fleet takes restored clusters into use: old servers end, the copy takes their place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.backups.taking import renew_backups
from deploy.fleet.settings import FleetSettings
from deploy.local import processes
from deploy.local.apart import rejoin
from deploy.local.checklist import Checklist
from deploy.local.down import stop_all
from deploy.local.home import Home
from deploy.local.parts import Parts, existing_parts
from deploy.local.postgres import ENVIRONMENT
from deploy.local.servers import Server
from deploy.local.up import Wish, bring_up, raise_cluster
from services.settings import Settings

_GLOBAL = "global"


def fence(home: Home, clusters: Sequence[str], checklist: Checklist) -> None:
    """Stop every server of these clusters, and whatever would start one again.

    Router and worker, too, when the directory is among them: what they remember is of the lost one.

    Raises:
        OperatorError: a process does not end.
    """
    parts = existing_parts(home)
    servers: list[Server] = [node for name in clusters for node in parts.clusters[name]]
    if _GLOBAL in clusters:
        stop_all((part for part in parts.applications if part.process()), checklist)
    # All of them: of one whose Patroni was killed the server may live on.
    stop_all(servers, checklist)


def install(home: Home, cluster: str, restored: Path, checklist: Checklist) -> list[Path]:
    """Put a restored cluster's files where its first node has its own; answers where those are now
    that were there before. Safe to repeat.

    Raises:
        OperatorError.
    """
    parts = existing_parts(home)
    kept = []
    with checklist.part(f"{cluster}: files"):
        if restored.exists():
            kept = [aside for node in parts.clusters[cluster] if (aside := _aside(node.folder))]
            rejoin(restored)
            first = parts.clusters[cluster][0].folder
            # mv keeps owners where it has to copy, from one disk to another.
            processes.run_tool(["/bin/mv", str(restored), str(first)], None, ENVIRONMENT)
        _forget(parts, cluster)
    return kept


def start(home: Home, clusters: Sequence[str], checklist: Checklist) -> None:
    """Start what was installed, with replicas made anew; then begin its backups anew.

    Raises:
        OperatorError: what runs stays, and `docshard up` goes on from there.
    """
    if _GLOBAL in clusters:
        asyncio.run(bring_up(home, Wish(FleetSettings(), demo=False), checklist))
    else:
        for name in clusters:
            asyncio.run(raise_cluster(existing_parts(home), name, checklist))
    if home.require().fleet.backups is None:
        return
    for name in clusters:
        with checklist.part(f"{name}: full backups") as line:
            line.note = renew_backups(Settings(), name)


def _aside(folder: Path) -> Path | None:
    """What was lost may be wanted still, by whoever looks for what happened: it is kept."""
    if not folder.exists():
        return None
    return folder.rename(folder.with_name(f"{folder.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}"))


def _forget(parts: Parts, cluster: str) -> None:
    """What the Patronis agreed on is of the lost cluster: its leader, its timeline's history."""
    for member in parts.etcd[:1]:
        member.start()
        member.forget(cluster)
