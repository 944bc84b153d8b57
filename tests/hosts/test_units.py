"""systemd itself runs the rendered units of router and worker, with all that they may not do.

No database of the fleet is there: both come up without one, and it is units that are looked at.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.acceptance.fleet import until
from tests.hosts.authority import Authority
from tests.hosts.fleet import FIRST
from tests.hosts.host import Host, booted
from tests.hosts.installation import Installer, Rendered, Secrets
from tests.hosts.network import network
from tests.hosts.programs import binds
from tests.integration import vault_double
from tests.lacking import lacking

pytestmark = pytest.mark.torture

PATIENCE_SECONDS = 90.0
_FLEET = Path(__file__).parent / "fleet.toml"
_WORKER = 'name = "worker-1"\nhost = "NET.{}"'
_SAFE = 25  # tenths of what systemd-analyze calls exposure: 0 is none, above 40 no longer ok


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """The first host of the three, booted, with everything installed; its worker is here, too."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        lacking("hosts of namespaces take root, and iproute2")
    if not Path("/lib/systemd/systemd").exists():
        lacking("systemd is not installed")
    with tempfile.TemporaryDirectory(prefix="docshard-units-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)
        joined = stack.enter_context(network())
        vault = vault_double.VaultDouble(folder / "vault-token", host=joined.here)
        stack.enter_context(vault_double.running(vault))
        made = stack.enter_context(booted(joined, FIRST, folder / "root", binds(folder)))
        text = _FLEET.read_text().replace(_WORKER.format(13), _WORKER.format(FIRST))
        text = text.replace("NET", joined.prefix).replace("PORT", str(vault.port))
        rendered = Rendered(folder / "rendered", text)
        rendered.write()
        until(lambda: _systemctl(made, "is-system-running") in ("running", "degraded"), 60)
        Installer(Authority(), Secrets(vault.token)).install(rendered, made)
        made.run("systemctl", "daemon-reload")
        yield made


@pytest.mark.parametrize(
    ("unit", "page"),
    [("docshard-router-1", ":8080/healthz"), ("docshard-worker-1", ":9108/metrics")],
)
def test_systemd_starts_it_anew_and_stops_it(host: Host, unit: str, page: str) -> None:
    address = f"http://{host.address}{page}"
    host.run("systemctl", "start", unit)
    until(lambda: _serves(host, unit, address), PATIENCE_SECONDS)
    assert _has_no_rights(host, unit)
    first = _shown(host, unit, "MainPID")
    host.run("kill", "-KILL", first)
    until(lambda: _shown(host, unit, "NRestarts") == "1", PATIENCE_SECONDS)
    until(lambda: _serves(host, unit, address), PATIENCE_SECONDS)
    assert _shown(host, unit, "MainPID") != first
    host.run("systemctl", "stop", unit)
    # It was asked to end and did: else systemd kills it, and the result is `timeout`.
    assert (_shown(host, unit, "Result"), _shown(host, unit, "ExecMainStatus")) == ("success", "0")
    assert _shown(host, unit, "ActiveState") == "inactive"


@pytest.mark.parametrize("unit", ["docshard-router-1", "docshard-worker-1"])
def test_systemd_calls_it_safe(host: Host, unit: str) -> None:
    host.run("systemd-analyze", "security", f"--threshold={_SAFE}", "--no-pager", unit)


def _serves(host: Host, unit: str, address: str) -> bool:
    if _shown(host, unit, "SubState") == "failed":
        raise AssertionError(
            host.run("systemctl", "status", "--no-pager", unit, check=False).stdout
        )
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(address, timeout=5, trust_env=False).status_code == httpx.codes.OK
    return False


def _has_no_rights(host: Host, unit: str) -> bool:
    """As the kernel tells it of the process: no capabilities, none to get, calls are filtered."""
    lines = host.run("cat", f"/proc/{_shown(host, unit, 'MainPID')}/status").stdout.splitlines()
    told = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    user = host.run("id", "-u", "docshard").stdout.strip()
    nothing = all(int(told[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"))
    return nothing and told["NoNewPrivs"] == "1" and told["Seccomp"] == "2" and user in told["Uid"]


def _shown(host: Host, unit: str, name: str) -> str:
    return _systemctl(host, "show", f"--property={name}", "--value", unit)


def _systemctl(host: Host, *words: str) -> str:
    return host.run("systemctl", *words, check=False).stdout.strip()
