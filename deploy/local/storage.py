"""SeaweedFS as the S3 server of the local fleet."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from deploy.errors import OperatorError
from deploy.fleet.model import Storage
from deploy.fleet.planning import https_of
from deploy.fleet.seaweed import INNER_PORTS, MEMORY, weed_options
from deploy.local import processes
from deploy.local.backups import certificate_of, ensure_certificate
from deploy.local.home import write_private
from deploy.local.processes import give
from deploy.local.servers import Server, Site

_PATIENCE = (15.0, 30.0, 60.0)
"""How long each attempt may take, seconds."""


class StorageServer(Server):
    """One SeaweedFS process that plays every one of its parts."""

    kind: ClassVar[str] = "s3"
    # SIGTERM takes half a minute; what was acknowledged survives SIGKILL.
    stop_signal: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, site: Site, storage: Storage) -> None:
        super().__init__(site, storage.name)
        self.storage = storage
        self.folder = site.data(storage.name)

    @property
    def port(self) -> int:
        """Where S3 listens."""
        return self.storage.address.port

    def start(self) -> None:
        """Start it and wait until it serves.

        On a busy machine its parts can miss each other while they start, and then it neither
        serves nor ends: it is started again, and given more time.

        Raises:
            OperatorError: as of any server, after the last attempt.
        """
        *before, last = _PATIENCE
        for seconds in before:
            self.start_seconds = seconds
            try:
                super().start()
            except OperatorError:
                self.stop()
            else:
                return
        self.start_seconds = last
        super().start()

    def prepare(self) -> None:
        """Write who may get in."""
        for folder in (self.folder, self.folder / "data"):
            folder.mkdir(mode=0o700, exist_ok=True)
            give(folder, self.site.engines.user)
        if self._secured:
            ensure_certificate(self.site, self.storage.address.host)
        write_private(self._identities, json.dumps(self._identities_known(), indent=2))
        give(self._identities, self.site.engines.user)

    def fingerprint(self) -> str:
        """It is started anew when backups begin or end: they come by TLS."""
        return "with backups" if self._secured else ""

    def command(self) -> processes.Command:
        """Everything on loopback, telemetry and side doors off."""
        storage = self.storage
        inner = {part: storage.inner_ports[f"{self.name}-{part}"] for part in INNER_PORTS}
        options = weed_options(storage.address, self.folder / "data", self._identities, inner)
        return processes.Command(
            arguments=[str(self.site.engines.weed), *options, *self._secured],
            folder=self.folder,
            log=self.log,
            user=self.site.engines.user,
            environment={
                "GOMEMLIMIT": MEMORY,
                "WEED_S3_SSE_KEY": self.site.secrets.s3_encryption_key,
                "HOME": str(self.folder),
                "PATH": "/usr/bin:/bin",
            },
        )

    def ready(self) -> bool:
        """Whether S3 listens; it does so once the parts behind it have met."""
        return self.listens()

    @property
    def _identities(self) -> Path:
        return self.folder / "identities.json"

    @property
    def _secured(self) -> list[str]:
        """Options of a second port, which speaks TLS: pgBackRest takes no other. Empty without
        backups."""
        if self.site.state.fleet.backups is None:
            return []
        port, folder = self._https, certificate_of(self.site).parent
        return [
            f"-s3.port.https={port}",
            f"-s3.cert.file={folder / 'certificate.pem'}",
            f"-s3.key.file={folder / 'key.pem'}",
        ]

    @property
    def _https(self) -> int:
        return self.storage.inner_ports[https_of(self.storage)]

    def _identities_known(self) -> dict[str, object]:
        """Who may do what: neither identity gets at the other's buckets, as in production. What
        lies in the second region is the backups', the copy of the documents too."""
        secrets, fleet = self.site.secrets, self.site.state.fleet
        own, known = [self.storage.bucket.name], []
        if self.storage == fleet.storage:
            known.append(_identity("docshard", (secrets.s3_access_key, secrets.s3_secret_key), own))
            own = []
        if fleet.backups is not None:
            here = [
                one.bucket.name
                for one in fleet.backups.repositories
                if one.address.port == self._https
            ]
            key = (secrets.backup_access_key, secrets.backup_secret_key)
            known.append(_identity("backups", key, [*own, *here]))
        return {"identities": known}


def _identity(name: str, key: tuple[str, str], buckets: Sequence[str]) -> dict[str, object]:
    actions = ("Admin", "Read", "Write", "List", "Tagging")
    return {
        "name": name,
        "credentials": [{"accessKey": key[0], "secretKey": key[1]}],
        "actions": [f"{action}:{bucket}" for bucket in buckets for action in actions],
    }
