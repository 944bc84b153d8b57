"""`python -m router.openapi > openapi.json`: the API description, as it is committed."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI

from router.app import all_routes
from router.frame import assemble


@asynccontextmanager
async def _closed(app: FastAPI) -> AsyncIterator[None]:
    yield


def render() -> bytes:
    """Render the description, the same bytes for the same API; nothing needs to run for it."""
    document = assemble(all_routes(), _closed, max_running=1).openapi()
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    sys.stdout.buffer.write(render())
