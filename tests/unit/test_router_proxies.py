"""Whose word is taken for a caller's address: named proxies', and nobody else's."""

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from router.__main__ import server_options
from router.settings import RouterSettings


@pytest.mark.parametrize(
    ("trusted", "peer", "expected"),
    [
        ("", "10.0.0.5", "10.0.0.5"),
        ("10.0.0.5", "10.0.0.5", "203.0.113.9"),
        ("10.0.0.5,10.0.0.6", "10.0.0.6", "203.0.113.9"),
        ("10.0.0.5", "10.0.0.7", "10.0.0.7"),
    ],
)
async def test_the_callers_address(trusted: str, peer: str, expected: str) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["client"][0])

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        return None

    options = server_options(RouterSettings(trusted_proxies=trusted), 1024) | {"log_config": None}
    config = uvicorn.Config(app, **options)
    config.load()
    scope = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 1234),
        "headers": [(b"x-forwarded-for", b"203.0.113.9")],
    }
    await config.loaded_app(scope, receive, send)
    assert seen == [expected]
