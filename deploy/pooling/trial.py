"""A trial: PgBouncer started with a configuration, on a port that nobody uses, and ended again.

There is no option that only checks a configuration, and unknown keys end the program at its start.
So it is started; what differs from earnest is what must: address, folders, passwords, certificates.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.errors import OperatorError
from deploy.fleet.model import Address
from deploy.fleet.pgbouncer import ASKING_ROLE, POOLED_ROLES, parse_pooler, render_users
from deploy.fleet.pooler_diff import Change, differences
from deploy.local import ports, processes
from deploy.local.certificates import write_certificates
from deploy.local.engines import server_user
from deploy.local.home import write_private
from deploy.local.processes import give
from deploy.local.waiting import awaited
from deploy.pooling.console import ask

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 10.0
_END_SECONDS = 5.0


@dataclass(frozen=True)
class Place:
    """Where a trial takes place: a folder of its own, a free port, a password made for it."""

    folder: Path
    port: int
    password: str

    def replaced(self) -> Mapping[str, str]:
        """The keys that cannot be tried as they are."""
        return {
            "listen_addr": _LOOPBACK,
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_file": str(self.folder / "userlist.txt"),
            "client_tls_cert_file": str(self.folder / "certificate.pem"),
            "client_tls_key_file": str(self.folder / "key.pem"),
            "server_tls_ca_file": str(self.folder / "certificate.pem"),
        }


def try_out(program: Path, text: str) -> list[Change]:
    """Start `program` with the configuration `text`, and compare what it says of itself.

    Returns what it understood otherwise than written: nothing, when all is well.

    Raises:
        OperatorError: it does not start; its own words are told.
    """
    with tempfile.TemporaryDirectory(prefix="docshard-pooler-") as folder:
        place = Place(Path(folder), ports.free(), secrets.token_hex(16))
        tried = _tried(text, place.replaced())
        wanted = parse_pooler(tried)
        with _started(program, tried, place):
            return differences(
                wanted, ask(Address(host=_LOOPBACK, port=place.port), place.password)
            )


def _tried(text: str, replaced: Mapping[str, str]) -> str:
    lines = []
    for line in text.splitlines():
        key, equals, _ = line.partition("=")
        name = key.strip()
        lines.append(f"{name} = {replaced[name]}" if equals and name in replaced else line)
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _started(program: Path, text: str, place: Place) -> Iterator[None]:
    user = server_user()
    configuration = place.folder / "pgbouncer.ini"
    passwords = dict.fromkeys((*POOLED_ROLES, ASKING_ROLE), place.password)
    write_private(place.folder / "userlist.txt", render_users(passwords, asks_servers=True))
    write_private(configuration, text)
    write_certificates(place.folder)
    for path in (place.folder, *place.folder.iterdir()):
        give(path, user)
    log = place.folder / "pgbouncer.log"
    process = processes.spawn(
        processes.Command(
            arguments=[str(program), str(configuration)],
            folder=Path("/"),
            log=log,
            user=user,
            environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        ),
        {},
    )
    try:
        awaited(
            lambda: not ports.is_free(place.port) or processes.alive(process.pid) is None,
            _START_SECONDS,
        )
        if processes.alive(process.pid) is None:
            raise OperatorError(
                "PgBouncer does not start with this configuration.",
                "\n".join(log.read_text(errors="replace").strip().splitlines()[-5:]),
                "Correct what it names; nothing that runs was touched.",
            )
        yield
    finally:
        # It has no clients, and since 1.23 the polite signal waits for the last to leave.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
        processes.await_end([process], _END_SECONDS)
