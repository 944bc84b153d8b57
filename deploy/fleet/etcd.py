"""etcd, in which the Patronis of all clusters agree on their primaries."""

from __future__ import annotations

from pathlib import PurePath

from deploy.fleet.model import Etcd, Fleet


def etcd_options(fleet: Fleet, member: Etcd, data: PurePath) -> dict[str, str]:
    """Options of a member's command line, by name; all members are told of each other."""
    clients, peers = f"http://{member.address.text}", f"http://{member.peer.text}"
    return {
        "name": member.name,
        "data-dir": str(data),
        "listen-client-urls": clients,
        "advertise-client-urls": clients,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": ",".join(f"{one.name}=http://{one.peer.text}" for one in fleet.etcd),
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "1h",
        "log-level": "warn",
    }
