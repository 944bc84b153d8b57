"""`python -m router`: serve the API, with several worker processes on one port."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from uvicorn import Config

from router.open_files import places, take_open_files
from router.protocol import DeadlineProtocol
from router.settings import RouterSettings
from router.workers import serve
from services.logs.configuration import configure, secrets_of
from services.logs.redaction import Redactor
from services.production import ProductionRefused
from services.settings import Settings

# The contract's "precondition refused", as the `docshard` command has it.
REFUSED: Final = 5


def server_options(settings: RouterSettings, open_files: int) -> dict[str, Any]:
    """How uvicorn listens and whom it believes: proxies that are not named are callers like others,
    and the audit log keeps their own address."""
    return {
        "host": settings.listen_host,
        "port": settings.listen_port,
        "workers": settings.router_workers,
        "loop": "uvloop",
        "http": DeadlineProtocol,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies,
        # Each process logs as `services.logs` has it.
        "log_config": None,
        "limit_concurrency": places(settings.max_connections, open_files),
        "backlog": 2048,
        "timeout_keep_alive": settings.keep_alive_seconds,
        "timeout_graceful_shutdown": settings.shutdown_seconds,
    }


def main() -> None:
    """Serve until a signal says to stop; requests under way may finish.

    What production refuses ends it at once, before workers would be started again and again.
    """
    try:
        settings = Settings()
    except ProductionRefused as refused:
        sys.stderr.write(f"error: {refused}\n")
        sys.exit(REFUSED)
    configure(settings.log, Redactor(secrets_of(settings)))
    edge = RouterSettings()
    options = server_options(edge, take_open_files())
    with _common_folder(settings.metrics.folder, edge.router_workers):
        # Named, not imported: nothing of the application is loaded when it is refused.
        serve(Config("router.app:from_environment", factory=True, **options))


@contextmanager
def _common_folder(named: Path | None, workers: int) -> Iterator[None]:
    """Where the workers put what they count, for as long as this router runs; one needs none."""
    if named is not None or workers == 1:
        yield
        return
    with TemporaryDirectory(prefix="docshard-figures-") as folder:
        os.environ["DOCSHARD_METRICS_FOLDER"] = folder
        yield


if __name__ == "__main__":
    main()
