"""One call of the API, as the endpoints see it."""

from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from router import json_body
from router.bodies import BodyLimits, BoundedReceive
from router.context import RequestContext, context_of
from router.edge import Edge
from services.access.admission import GlobalAccess, OwnAccess, TenantAccess
from services.access.denials import Denial
from services.errors import InvalidRequest, RequestTimeout, UnsupportedMediaType
from services.identity.principal import Caller, Origin
from services.resources import Resources


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """A caller's address, None where it is none: whoever called once calls again."""
    try:
        return ip_address(text)
    except ValueError:
        return None


class Call(Request):
    """A request whose body is bounded and whose JSON is read by the strict parser.

    Its route's rule attaches who calls (`caller`) and what that allows (`tenant`,
    `everywhere` or `own`).
    """

    caller: Caller
    tenant: TenantAccess
    everywhere: GlobalAccess
    own: OwnAccess
    _value: Any = None

    def __init__(self, scope: Scope, receive: Receive, limits: BodyLimits) -> None:
        super().__init__(scope, BoundedReceive(receive, limits))
        self._limits = limits

    @cached_property
    def edge(self) -> Edge:
        """What all calls share."""
        edge: Edge = self.app.state.edge
        return edge

    @property
    def resources(self) -> Resources:
        """What use cases need."""
        return self.edge.resources

    @property
    def context(self) -> RequestContext:
        """The request's id and stopwatch; takes headers for the answer."""
        return context_of(self.scope)

    def header(self, name: str) -> str | None:
        """The first header of this name, which is in lower case; None without one."""
        wanted = name.encode("ascii")
        for known, value in self.scope["headers"]:
            if known == wanted:
                text: str = value.decode("latin-1")
                return text
        return None

    def origin(self) -> Origin:
        """Where the call came from."""
        client = self.scope["client"]
        return Origin(None if client is None else _address(client[0]), self.context.request_id)

    def note_denial(self, permission: str, code: str) -> None:
        """Count that the caller was refused, for the audit log."""
        operation = f"{self.method} {self.scope['route'].path}"
        denial = Denial(operation, permission, code, self._client_of_caller())
        self.edge.denials.note(self.caller, denial)

    def _client_of_caller(self) -> UUID | None:
        """The client in the path, as far as the caller may know of it: others are invented ids."""
        try:
            client_id = UUID(self.path_params["client_id"])
        except (KeyError, ValueError):
            return None
        return client_id if self.caller.principal.sees(client_id) else None

    def refuse_early(self) -> None:
        """Refuse what the headers already give away, before a byte of the body is read."""
        declared = self.declared_length()
        if declared is not None and declared > self._limits.max_bytes:
            raise self._limits.too_large()
        if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("Content-Encoding is not taken: send the bytes as they are.")

    def declared_length(self) -> int | None:
        """Content-Length, or None when the body comes in chunks."""
        text = self.headers.get("content-length")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise InvalidRequest.at("#Content-Length", "Must be a number of bytes.")
        return int(text)

    async def load_json(self) -> None:
        """Read and parse the body, once."""
        self.refuse_early()
        try:
            body = await self.body()
        except ClientDisconnect:
            raise RequestTimeout("The connection ended before the body did.") from None
        if body and not json_body.is_json(self.headers.get("content-type", "")):
            raise UnsupportedMediaType("Send the body as application/json.")
        self._value = json_body.parse(body) if body else None

    @property
    def value(self) -> Any:
        """The parsed body; `load_json` came before. None without one."""
        return self._value

    async def json(self) -> Any:
        """The same, where the framework asks for it."""
        return self._value
