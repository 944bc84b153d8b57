"""Routes: nothing is served under /v1 without a rule that says who may call it.

A rule admits the caller before the body is read. So refusals come in API.md's order (401, 404,
403, then the body's own faults), and who may not call cannot make us read megabytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, Final, Protocol, TypeVar

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from router.answers import Answer, header, problems
from router.binding import handler_of
from router.bodies import BodyLimits
from router.call import Call
from router.headers import LONGEST_STALENESS
from router.problems import from_validation, pointer
from services import errors

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Json = dict[str, Any]


PUBLIC: Final = "<public>"
"""Stands in the place of a permission where none is needed."""
READS: Final = frozenset({"GET", "HEAD"})
CONSISTENCY: Final = "Consistency-Token"
STALENESS: Final = "Max-Staleness"


class Rule(Protocol):
    """Who may call a route."""

    @property
    def permission(self) -> str:
        """The permission's name; or, in angle brackets, what stands in its place."""

    @property
    def refusals(self) -> tuple[str, ...]:
        """Codes with which it may refuse."""

    @property
    def reading(self) -> tuple[str, ...]:
        """Headers by which a caller says what replica may answer; none: the primary answers."""

    async def admit(self, call: Call) -> None:
        """Let the call pass, and attach who makes it; or raise a ServiceError."""

    async def confirm_target(self, call: Call) -> None:
        """Raise NotFound when what the path names does not exist for this caller.

        Asked only before another refusal, so that a foreign id looks like an absent one whatever
        else is wrong with the request.
        """


@dataclass(frozen=True, slots=True)
class Doc:
    """What the API description says of an operation besides its signature."""

    answers: tuple[Answer, ...]
    refusals: tuple[str, ...] = ()
    """Codes of its own; those of every operation, of its rule and of its body are added."""
    extra: Mapping[str, Any] | None = None
    """More members of the OpenAPI operation."""


# Refusals that come after 404 in the order, though they are found without looking at the target.
_BEHIND_ABSENCE = (
    errors.Forbidden,
    errors.ClientInactive,
    errors.InvalidJson,
    errors.InvalidRequest,
    errors.InvalidCursor,
    errors.UnsupportedMediaType,
    errors.ContentTooLarge,
    errors.PreconditionRequired,
)

_DENIALS = (errors.Forbidden, errors.ClientSuspended, errors.ClientInactive)

_EVERYWHERE = ("invalid_request", "too_many_requests", "internal", "overloaded")
_WITH_JSON = ("invalid_json", "request_timeout", "content_too_large", "unsupported_media_type")


_SERVED: Final = {
    "Served-By": header("Which server answered: primary or replica.", "replica"),
    "Replica-Lag-Ms": header(
        "Everything that was acknowledged so long before is in the answer; 0 from the primary, "
        "left out where it is not known.",
        "70",
    ),
}
_READING: Final[list[Json]] = [
    {
        "name": CONSISTENCY,
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "Of a write to this client: the answer shows that write, and a replica may "
        "give it.",
    },
    {
        "name": STALENESS,
        "in": "header",
        "required": False,
        "schema": {"type": "integer", "minimum": 0, "maximum": LONGEST_STALENESS},
        "description": "Seconds that the answer may be old: a replica that is not farther behind "
        "may give it. 0 asks the primary.",
        "example": 5,
    },
]


class GuardedRoute(APIRoute):
    """A route with its rule: admission, then the body, then the endpoint."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *, rule: Rule, **options: Any):
        self.rule = rule
        super().__init__(path, endpoint, **options)
        self._handler = handler_of(self, self.get_route_handler())
        self._takes_json = self.body_field is not None
        self._named = _query_names(self)
        self.app = self._serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        edge = scope["app"].state.edge
        limits: BodyLimits = edge.json_limits if self._takes_json else edge.content_limits
        call = Call(scope, receive, limits)
        try:
            response = await self._answer(call)
        except _DENIALS as error:
            call.note_denial(self.rule.permission, error.code)
            raise
        await response(scope, receive, send)

    async def _answer(self, call: Call) -> Response:
        try:
            await self.rule.admit(call)
            if call.scope["query_string"]:
                _refuse_unknown(call, self._named)
            if self._takes_json:
                await call.load_json()
            return await self._handler.answer(call)
        except RequestValidationError as error:
            await self.rule.confirm_target(call)
            raise from_validation(error) from error
        except _BEHIND_ABSENCE:
            await self.rule.confirm_target(call)
            raise


def _query_names(route: APIRoute) -> frozenset[str] | None:
    """Query parameters of a route; None when a model of them refuses others itself."""
    fields = route.dependant.query_params
    if any(
        isinstance(kind := field.field_info.annotation, type) and issubclass(kind, BaseModel)
        for field in fields
    ):
        return None
    return frozenset(field.alias for field in fields)


def _refuse_unknown(call: Call, named: frozenset[str] | None) -> None:
    """A filter that is misspelt, or that does not exist, must not look as if it had been kept."""
    if named is None:
        return
    for name in call.query_params:
        if name not in named:
            raise errors.InvalidRequest.at(pointer(("query", name)), "Is not known here.")


class Api:
    """Collects the routes of one part of the API.

    The operationId is the endpoint's name, which is also the SDK's method; its docstring is the
    documentation.
    """

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self.routes: list[GuardedRoute] = []

    def route(self, method: str, path: str, rule: Rule, doc: Doc) -> Callable[[Endpoint], Endpoint]:
        """Register the decorated endpoint."""

        def register(endpoint: Endpoint) -> Endpoint:
            route = _make_route(
                endpoint, tag=self._tag, method=method, path=path, rule=rule, doc=doc
            )
            self.routes.append(route)
            return endpoint

        return register


def _make_route(
    endpoint: Callable[..., Any], *, tag: str, method: str, path: str, rule: Rule, doc: Doc
) -> GuardedRoute:
    first, *others = doc.answers
    summary, _, description = cleandoc(endpoint.__doc__ or "").partition("\n")
    # Only answers without a model are made by hand; the others take the framework's fast way.
    by_hand = {"response_class": Response} if first.model is None else {}
    reading = rule.reading if method in READS else ()
    lost = ("write_lost",) if CONSISTENCY in reading else ()
    refusals = (*_EVERYWHERE, *rule.refusals, *doc.refusals, *lost)
    route = GuardedRoute(
        path,
        endpoint,
        rule=rule,
        methods=[method],
        operation_id=endpoint.__name__,
        tags=[tag],
        summary=summary.rstrip("."),
        description=description.strip() or summary,
        status_code=first.status,
        response_description=first.description,
        response_model=first.model,
        responses={one.status: one.document(_SERVED if reading else {}) for one in (first, *others)}
        | problems(refusals),
        openapi_extra=_extra(rule, doc) | _asking(reading),
        **by_hand,
    )
    if route.body_field is not None:
        route.responses |= problems(_WITH_JSON)
    return route


def _asking(reading: tuple[str, ...]) -> Json:
    return {"parameters": [one for one in _READING if one["name"] in reading]} if reading else {}


def _extra(rule: Rule, doc: Doc) -> Json:
    security: list[Json] = [] if rule.permission == PUBLIC else [{"bearer": []}]
    return {"x-permission": rule.permission, "security": security, **(doc.extra or {})}
