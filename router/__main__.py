"""`python -m router`: serve the API, with several worker processes on one port."""

import sys
from typing import Any, Final

import uvicorn

from router.open_files import places, take_open_files
from router.protocol import DeadlineProtocol
from router.settings import RouterSettings
from services.production import ProductionRefused
from services.settings import Settings

# The contract's "precondition refused", as the `docshard` command has it.
REFUSED: Final = 5

# Of requests only failures are logged: an access log costs a tenth of the throughput, and the
# proxy in front has one.
LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(process)d %(name)s %(message)s"}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {"botocore": {"level": "WARNING"}, "psycopg.pool": {"level": "ERROR"}},
}


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
        "log_config": LOGGING,
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
        Settings()
    except ProductionRefused as refused:
        sys.stderr.write(f"error: {refused}\n")
        sys.exit(REFUSED)
    options = server_options(RouterSettings(), take_open_files())
    uvicorn.run("router.app:from_environment", factory=True, **options)


if __name__ == "__main__":
    main()
