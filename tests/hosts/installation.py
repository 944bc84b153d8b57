"""What an operator does on hosts with what was rendered: docs/three-hosts.md, step by step."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.cli.main import run
from deploy.fleet.file import FleetFile, read_fleet_file
from deploy.fleet.pgbouncer import render_users
from deploy.local.secrets import ROLES
from tests.hosts.authority import Authority
from tests.hosts.host import Host
from tests.hosts.programs import LIBRARIES
from tests.hosts.services import UNITS

_TLS = "/etc/docshard/tls"


def _password() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Secrets:
    """What stands in no rendered file."""

    vault_token: str
    superuser: str = field(default_factory=_password)
    rest: str = field(default_factory=_password)
    roles: Mapping[str, str] = field(default_factory=lambda: {one: _password() for one in ROLES})
    s3_access_key: str = field(default_factory=lambda: secrets.token_hex(10))
    s3_secret_key: str = field(default_factory=_password)
    s3_encryption_key: str = field(default_factory=lambda: secrets.token_hex(32))

    def service(self) -> dict[str, str]:
        """For routers and workers."""
        return {
            "DOCSHARD_APP_PASSWORD": self.roles["docshard_app"],
            "DOCSHARD_WORKER_PASSWORD": self.roles["docshard_worker"],
            "DOCSHARD_MOVER_PASSWORD": self.roles["docshard_mover"],
            "DOCSHARD_S3_ACCESS_KEY": self.s3_access_key,
            "DOCSHARD_S3_SECRET_KEY": self.s3_secret_key,
        }

    def operator(self) -> dict[str, str]:
        """For whoever runs the command, besides."""
        return {
            "DOCSHARD_ADMIN_DB_PASSWORD": self.roles["docshard_admin"],
            "DOCSHARD_POOLER_PASSWORD": self.roles["docshard_pooler"],
            "DOCSHARD_PROBE_PASSWORD": self.roles["docshard_probe"],
            "PGPASSWORD": self.superuser,
        }

    def patroni(self) -> dict[str, str]:
        return {
            "PATRONI_SUPERUSER_PASSWORD": self.superuser,
            "PATRONI_REWIND_PASSWORD": self.superuser,
            "PATRONI_REPLICATION_PASSWORD": self.roles["docshard_mover"],
            "PATRONI_RESTAPI_USERNAME": "docshard",
            "PATRONI_RESTAPI_PASSWORD": self.rest,
        }

    def identities(self, bucket: str) -> str:
        """The keys that SeaweedFS knows."""
        actions = [f"{one}:{bucket}" for one in ("Admin", "Read", "Write", "List", "Tagging")]
        keys = {"accessKey": self.s3_access_key, "secretKey": self.s3_secret_key}
        known = {"name": "docshard", "credentials": [keys], "actions": actions}
        return json.dumps({"identities": [known]})


@dataclass(frozen=True)
class Rendered:
    """A fleet file, and all that was rendered from it into its folder."""

    folder: Path
    text: str

    @property
    def file(self) -> FleetFile:
        return read_fleet_file(self.text)

    def write(self) -> None:
        """Render everything, by the product's own command."""
        self.folder.mkdir()
        given = self.folder / "fleet.toml"
        given.write_text(self.text)
        for words in (*(("render", one) for one in ("haproxy", "patroni", "systemd")), _POOLERS):
            assert run([*words, "--fleet", str(given), "--into", str(self.folder)]) == 0


_POOLERS = ("pool", "render")


@dataclass(frozen=True)
class Installer:
    """Copies to each host what belongs there."""

    authority: Authority
    secrets: Secrets

    def install(self, rendered: Rendered, host: Host) -> None:
        """Rendered files at the places that they name, secrets beside them; safe to repeat."""
        host.write("/etc/ld.so.conf.d/000-python.conf", f"{LIBRARIES}\n")
        host.run("ldconfig")
        self._units(rendered.folder / "systemd" / host.address, host)
        for path in (rendered.folder / "patroni" / host.address).glob("*.yml"):
            host.write(f"/etc/docshard/patroni/{path.name}", path.read_text())
            self._variables(host, f"patroni/{path.stem}.env", self.secrets.patroni())
        for cluster in rendered.file.model.clusters:
            for pooler in cluster.poolers:
                if pooler.address.host == host.address:
                    path = Path("pgbouncer", pooler.name, "pgbouncer.ini")
                    text = (rendered.folder / path).read_text()
                    host.write(f"/etc/docshard/{path}", text)
        users = render_users(self.secrets.roles, asks_servers=True)
        host.write("/etc/docshard/pgbouncer/userlist.txt", users)
        self._variables(host, "service.env", self.secrets.service())
        self._variables(host, "operator.env", self.secrets.operator())
        host.write("/etc/docshard/fleet.toml", rendered.text)
        self._certificates(host)
        host.run("systemd-sysusers", "/etc/sysusers.d/docshard.conf")
        host.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/docshard.conf")
        self._vault_token(host)

    def install_storage(self, rendered: Rendered, host: Host) -> None:
        """What SeaweedFS needs besides its unit."""
        bucket = rendered.file.storage.bucket
        host.write("/etc/docshard/s3/identities.json", self.secrets.identities(bucket))
        self._variables(host, "s3/s3.env", {"WEED_S3_SSE_KEY": self.secrets.s3_encryption_key})
        signed = self.authority.signed(host.address)
        host.write(f"{_TLS}/s3.crt", signed.certificate)
        host.write(f"{_TLS}/s3.key", signed.key)
        host.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/docshard.conf")

    def install_balancer(self, rendered: Rendered, host: Host) -> None:
        """HAProxy's files; its unit is the package's."""
        for path in (rendered.folder / "haproxy").iterdir():
            there = "haproxy.cfg" if path.suffix == ".cfg" else f"docshard/{path.name}"
            host.write(f"/etc/haproxy/{there}", path.read_text())
        signed = self.authority.signed(host.address)
        host.write(f"{_TLS}/api.pem", signed.certificate + signed.key)

    def _units(self, folder: Path, host: Host) -> None:
        for path in folder.iterdir():
            there = {
                "docshard.env": "/etc/docshard/docshard.env",
                "docshard.sysusers": "/etc/sysusers.d/docshard.conf",
                "docshard.tmpfiles": "/etc/tmpfiles.d/docshard.conf",
            }.get(path.name, f"{UNITS}/{path.name}")
            host.write(there, path.read_text())

    def _certificates(self, host: Host) -> None:
        if host.path(f"{_TLS}/host.crt").exists():
            return
        signed = self.authority.signed(host.address)
        host.write(f"{_TLS}/ca.crt", self.authority.certificate)
        host.write(f"{_TLS}/host.crt", signed.certificate)
        host.write(f"{_TLS}/host.key", signed.key)

    def _variables(self, host: Host, name: str, variables: Mapping[str, str]) -> None:
        lines = (f'{variable}="{value}"\n' for variable, value in variables.items())
        host.write(f"/etc/docshard/{name}", "".join(lines))
        host.path(f"/etc/docshard/{name}").chmod(0o600)

    def _vault_token(self, host: Host) -> None:
        """Of a Vault agent, in earnest."""
        path = "/etc/docshard/vault-token"
        host.write(path, self.secrets.vault_token)
        if host.run("id", "docshard", check=False).returncode == 0:
            host.run("chown", "docshard", path)
        host.path(path).chmod(0o600)
