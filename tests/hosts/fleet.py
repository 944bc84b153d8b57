"""Three hosts and a balancer with everything that a fleet file names, run by its rendered files."""

from __future__ import annotations

import contextlib
import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deploy.fleet.model import Cluster
from tests.acceptance.fleet import until
from tests.hosts.authority import Authority
from tests.hosts.host import Host, running
from tests.hosts.installation import Installer, Rendered, Secrets
from tests.hosts.network import Network, network
from tests.hosts.programs import binds
from tests.hosts.services import Service, installed
from tests.integration import vault_double

BALANCER, FIRST, SECOND, THIRD = 10, 11, 12, 13
PATIENCE_SECONDS = 400.0
"""For what starts or comes back, on a machine that others use as well."""
_PAUSE_SECONDS = 0.3
_HERE = Path(__file__).parent
_AS_OPERATOR = """set -a
for file in docshard service operator; do . /etc/docshard/$file.env; done
exec /opt/docshard/bin/docshard "$@"
"""


@dataclass
class ThreeHosts:
    """Hosts by number, and the services of those units that were started."""

    network: Network
    hosts: dict[int, Host]
    installer: Installer
    rendered: Rendered
    logs: Path
    services: dict[str, Service] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"https://{self.network.address(BALANCER)}"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.installer.authority.certificate)

    def start(self, number: int, *names: str) -> None:
        """`systemctl start` of these units, on that host."""
        for name in names:
            service = installed(self.hosts[number], f"docshard-{name}", self.logs)
            self.services[name] = service
            service.start()

    def operator(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`docshard …`, on the first host, with what an operator knows."""
        shell = ("/bin/sh", "-c", _AS_OPERATOR, "docshard")
        return self.hosts[FIRST].run(*shell, *words, check=check)

    def await_storage(self) -> None:
        """Until the object store answers the operator."""
        look = ("bucket", "prepare", "--dry-run")
        until(
            lambda: self.operator(*look, check=False).returncode == 0,
            PATIENCE_SECONDS,
            _PAUSE_SECONDS,
        )

    def cluster(self, name: str) -> Cluster:
        (found,) = (one for one in self.rendered.file.model.clusters if one.name == name)
        return found

    def superuser(self, name: str) -> str:
        """All nodes of a cluster, of which the primary is wanted."""
        nodes = self.cluster(name).nodes
        hosts, ports = (
            ",".join(str(getattr(node.address, what)) for node in nodes)
            for what in ("host", "port")
        )
        return (
            f"host={hosts} port={ports} user=postgres dbname=postgres connect_timeout=5"
            " target_session_attrs=read-write sslmode=verify-full"
            " sslrootcert=/etc/docshard/tls/ca.crt"
        )

    def members(self, name: str) -> list[dict[str, Any]]:
        """A cluster's nodes, as any of its Patronis sees them."""
        for node in self.cluster(name).nodes:
            with contextlib.suppress(httpx.HTTPError, ValueError):
                assert node.patroni is not None
                answer = httpx.get(f"http://{node.patroni.text}/cluster", timeout=3)
                return list(answer.json().get("members", []))
        return []

    def leader(self, name: str) -> str | None:
        return next((one["name"] for one in self.members(name) if one["role"] == "leader"), None)

    def await_leader(self, name: str) -> str:
        until(lambda: self.leader(name), PATIENCE_SECONDS, _PAUSE_SECONDS)
        return self.leader(name) or ""

    def whole(self, name: str) -> bool:
        """Whether one node leads and another has all that is acknowledged."""
        members = self.members(name)
        roles = sorted(one["role"] for one in members)
        states = {one["state"] for one in members}
        return roles == ["leader", "sync_standby"] and states <= {"running", "streaming"}

    def await_whole(self, *names: str) -> float:
        return until(
            lambda: all(self.whole(name) for name in names), PATIENCE_SECONDS, _PAUSE_SECONDS
        )

    def ready(self, number: int) -> bool:
        """Whether the router of that host can serve."""
        return _answers(f"http://{self.network.address(number)}:8080/readyz")

    def serves(self) -> bool:
        """Whether the API can be reached at its one address."""
        return _answers(f"{self.api}/readyz", self.trust)

    def leave(self) -> None:
        """Start nothing any more: the hosts go."""
        for service in self.services.values():
            service.leave()

    def start_balancer(self) -> None:
        """As Debian's unit does; whatever it logs is kept."""
        # Fewer connections than its file says: root may not open so many files everywhere.
        words = ("/usr/sbin/haproxy", "-W", "-n", "2000", "-f", "/etc/haproxy/haproxy.cfg")
        with self._balancer_log.open("ab") as log:
            subprocess.Popen(self.hosts[BALANCER].entering(words), stdout=log, stderr=log)

    def await_in_use(self, router: str) -> None:
        """Wait until HAProxy sends requests to that router again."""
        until(lambda: self._last_word_on(router) in (None, "UP"), PATIENCE_SECONDS, _PAUSE_SECONDS)

    def _last_word_on(self, router: str) -> str | None:
        said = re.findall(rf"Server routers/{router} is (\w+)", self._balancer_log.read_text())
        return said[-1] if said else None

    @property
    def _balancer_log(self) -> Path:
        return self.logs / "haproxy.log"


def _answers(url: str, trust: ssl.SSLContext | bool = True) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        answer = httpx.get(url, timeout=5, verify=trust, trust_env=False)
        return answer.status_code == httpx.codes.OK
    return False


@contextmanager
def three_hosts(folder: Path) -> Iterator[ThreeHosts]:
    """Hosts on which everything is installed and nothing runs."""
    logs = folder / "log"
    logs.mkdir()
    with ExitStack() as stack:
        joined = stack.enter_context(network())
        vault = vault_double.VaultDouble(folder / "vault-token", host=joined.here)
        stack.enter_context(vault_double.running(vault))
        shared = binds(folder)
        hosts = {
            number: stack.enter_context(running(joined, number, folder / f"root-{number}", shared))
            for number in (BALANCER, FIRST, SECOND, THIRD)
        }
        text = (_HERE / "fleet.toml").read_text()
        text = text.replace("NET", joined.prefix).replace("PORT", str(vault.port))
        rendered = Rendered(folder / "rendered", text)
        rendered.write()
        installer = Installer(Authority(), Secrets(vault.token))
        installer.install_balancer(rendered, hosts[BALANCER])
        for number in (FIRST, SECOND, THIRD):
            installer.install(rendered, hosts[number])
        installer.install_storage(rendered, hosts[THIRD])
        fleet = ThreeHosts(joined, hosts, installer, rendered, logs)
        stack.callback(fleet.leave)
        yield fleet
    for service in fleet.services.values():
        service.join()
