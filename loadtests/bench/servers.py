"""What is measured: the service's router and its peers, each one process on a free port."""

import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import jwt

from loadtests.bench.fleet import Fleet, NoFleet, Shard
from loadtests.bench.processor import Family
from loadtests.bench.waiting import awaited
from loadtests.peers.idiomatic import ALGORITHM
from loadtests.peers.serving import Surroundings
from loadtests.programs import ROOT, python

OURS, FIXED = "docshard", "docshard, fixed admission"
SAMPLED = "docshard, looked at"
PSYCOPG, ASYNCPG, IDIOMATIC = "floor-psycopg", "floor-asyncpg", "idiomatic"
_ROUTERS = {
    OURS: "router",
    # In the tests, since only they may reach inside: what it is made of is no part of the product.
    FIXED: "tests.acceptance.fixed_router",
    SAMPLED: "loadtests.bench.sampled",
}
_PEERS = {
    PSYCOPG: "loadtests.peers.floor_psycopg",
    ASYNCPG: "loadtests.peers.floor_asyncpg",
    IDIOMATIC: "loadtests.peers.idiomatic",
}
_PATIENCE_SECONDS = 120.0
_UNLIMITED = "1000000"


@dataclass(frozen=True, slots=True)
class Server:
    """One that serves."""

    name: str
    port: int
    family: Family


@dataclass(frozen=True, slots=True)
class Servers:
    """All of them by name, and what signs the tokens of the idiomatic one."""

    by_name: Mapping[str, Server]
    secret: str = field(repr=False)

    def token(self, user_id: str) -> str:
        """A bearer token for the idiomatic one."""
        return jwt.encode({"sub": user_id}, self.secret, ALGORITHM)


def database_url(shard: Shard) -> str:
    """The shard's own database, past any pooler, as the role that the service has there."""
    known = shard.variables
    password = quote(known["DOCSHARD_APP_PASSWORD"], safe="")
    place = f"{shard.host}:{shard.port}/{known['DOCSHARD_DATABASE']}"
    return f"postgresql://docshard_app:{password}@{place}"


@contextmanager
def serving(fleet: Fleet, shard: Shard, names: Sequence[str]) -> Iterator[Servers]:
    """Start these, and end them with the block.

    Raises:
        NoFleet: one does not come up.
    """
    secret = secrets.token_urlsafe(32)
    with ExitStack() as stack:
        starting = []
        for name in names:
            port = _free_port()
            if name in _ROUTERS:
                module, told = _ROUTERS[name], _as_router(fleet, port)
            else:
                module = _PEERS[name]
                told = Surroundings(database_url(shard), port, secret).as_variables()
            starting.append((name, port, stack.enter_context(_process(module, told))))
        servers = [_ready(*one) for one in starting]
        yield Servers({one.name: one for one in servers}, secret)


def _as_router(fleet: Fleet, port: int) -> dict[str, str]:
    return {
        **fleet.variables,
        "DOCSHARD_LISTEN_PORT": str(port),
        "DOCSHARD_ROUTER_WORKERS": "1",
        "DOCSHARD_REQUESTS_PER_SECOND_PER_PRINCIPAL": _UNLIMITED,
        "DOCSHARD_REQUESTS_PER_SECOND_PER_CLIENT": _UNLIMITED,
    }


@dataclass(frozen=True, slots=True)
class _Started:
    process: subprocess.Popen[bytes]
    log: Path

    def told(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


@contextmanager
def _process(module: str, told: Mapping[str, str]) -> Iterator[_Started]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("DOCSHARD_")}
    with tempfile.TemporaryDirectory(prefix="docshard-bench-") as folder:
        log = Path(folder, "log")
        with (
            log.open("wb") as output,
            python(
                *("-P", "-m", module),
                env={**clean, **told, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
            ) as process,
        ):
            try:
                yield _Started(process, log)
            finally:
                process.terminate()


def _ready(name: str, port: int, started: _Started) -> Server:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:

        def serves() -> bool:
            if started.process.poll() is not None:
                raise NoFleet(f"{name} does not serve:\n{started.told()}")
            return _answers(http)

        awaited(serves, _PATIENCE_SECONDS, f"{name} serves")
    return Server(name, port, Family(started.process.pid))


def _answers(http: httpx.Client) -> bool:
    """Whether it is ready; peers do not know this address, which says as much."""
    try:
        return http.get("/readyz").status_code in {httpx.codes.OK, httpx.codes.NOT_FOUND}
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
