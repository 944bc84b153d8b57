"""How each part of the fleet is: as told by the kernel and the servers' own files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deploy.local.parts import Parts
from deploy.local.processes import paused
from deploy.local.servers import Server

Condition = Literal["up", "paused", "starting", "down"]


@dataclass(frozen=True)
class PartStatus:
    """One part: its present role, its condition, and where it is."""

    name: str
    role: str
    condition: Condition
    address: str | None
    pid: int | None


def status_of(parts: Parts) -> list[PartStatus]:
    """Every part's status, in the fleet's order."""
    return [_status(part) for part in parts.all]


def _status(part: Server) -> PartStatus:
    process = part.process()
    return PartStatus(
        name=part.name,
        role=part.role(),
        condition=_condition(part),
        address=f"127.0.0.1:{part.port}" if part.port else None,
        pid=process.pid if process else None,
    )


def _condition(part: Server) -> Condition:
    process = part.process()
    if process is None:
        return "down"
    if paused(process):
        return "paused"
    return "up" if part.ready() else "starting"
