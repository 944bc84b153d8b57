"""How a peer is told what it needs, and how it is served: as the service's router is."""

import gc
import os
from dataclasses import dataclass
from typing import Self

import uvicorn
from starlette.types import ASGIApp

CONNECTIONS = 10
"""To the database, all open from the start; the service's pool grows to as many."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`database` is a URL `postgresql://…`; `secret` signs tokens."""

    database: str
    port: int
    secret: str

    @classmethod
    def told(cls) -> Self:
        """What the environment says."""
        known = os.environ
        return cls(known["PEER_DATABASE"], int(known["PEER_PORT"]), known["PEER_SECRET"])

    def as_variables(self) -> dict[str, str]:
        """The same for the environment of a process."""
        return {
            "PEER_DATABASE": self.database,
            "PEER_PORT": str(self.port),
            "PEER_SECRET": self.secret,
        }


def serve(app: ASGIApp, port: int) -> None:
    """Serve with one process and the router's own options (`router.__main__.server_options`), and
    as there with what was loaded kept out of the garbage collector's way."""
    gc.freeze()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        backlog=2048,
        timeout_keep_alive=30,
    )
