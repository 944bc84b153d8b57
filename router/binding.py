"""Arguments and answers of endpoints, by a plan that is made once for each route.

The framework looks at every parameter anew with each request: what it is, where it may stand, how
it is called. That took a third of a routed read's time outside the database. Here it is looked
at when the route is made; what remains is to fetch the text and to validate it, by the framework's
own validators. A request that is not simply right is left to the framework's handler, which says
what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, get_args, get_origin

from fastapi.exceptions import ResponseValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from router.call import Call
from router.models.fields import AN_ID, id_of

Arguments = dict[str, Any]
_CONSTANTS: Final = (str, int, float, Enum, type(None))
_SEVERAL: Final = (list, set, frozenset, tuple, Sequence)
_STACKS: Final = tuple(f"fastapi_{name}_astack" for name in ("middleware", "inner", "function"))


class Unbindable(Exception):
    """A route has a parameter of a kind that no plan is made for; the app does not start."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an endpoint. `validate` is the framework's own: a value, and its errors."""

    name: str
    alias: str
    required: bool
    default: Any
    validate: Callable[[Any], tuple[Any, Sequence[Any]]]

    def put(self, arguments: Arguments, given: Any) -> bool:
        """Add the argument that this makes, None being nothing; False when it makes none."""
        if given is None:
            arguments[self.name] = self.default
            return not self.required
        arguments[self.name], errors = self.validate(given)
        return not errors


@dataclass(frozen=True, slots=True)
class Binding:
    """What an endpoint takes."""

    call: str | None
    path: Sequence[Parameter]
    headers: Sequence[Parameter]
    query: Sequence[Parameter]
    model: Parameter | None
    """Takes the whole query."""
    body: Parameter | None

    def arguments(self, call: Call) -> Arguments | None:
        """What to call the endpoint with; None when the framework has to look at the request."""
        asked: Mapping[str, str] = call.query_params if call.scope["query_string"] else {}
        found: Arguments = {} if self.call is None else {self.call: call}
        # Loops, since three generators take as long as what they yield.
        simply = True
        for one in self.path:
            simply &= one.put(found, call.path_params[one.alias])
        for one in self.headers:
            simply &= one.put(found, call.header(one.alias))
        for one in self.query:
            simply &= one.put(found, asked.get(one.alias))
        if self.model is not None:
            simply &= self.model.put(found, _once_each(call, asked))
        if self.body is not None:
            simply &= self.body.put(found, call.value)
        return found if simply else None


def _once_each(call: Call, asked: Mapping[str, str]) -> dict[str, str] | None:
    """The query; None when a name comes twice, which is for the framework to judge."""
    if asked and len(call.query_params.multi_items()) != len(asked):
        return None
    return dict(asked)


@dataclass(frozen=True, slots=True)
class Handler:
    """Runs a route's endpoint."""

    endpoint: Callable[..., Any]
    binding: Binding
    shown: Any
    """The framework's field of the answer; None where the endpoint makes the answer itself."""
    status: int
    framework: Callable[[Call], Any]

    async def answer(self, call: Call) -> Response:
        """Read the arguments, run the endpoint, and write what it gives.

        Raises:
            RequestValidationError, and what the endpoint raises.
        """
        arguments = self.binding.arguments(call)
        if arguments is None:
            return await self._explained(call)
        given = await self.endpoint(**arguments)
        if isinstance(given, Response):
            return given
        value, errors = self.shown.validate(given)
        if errors:
            raise ResponseValidationError(errors=errors, body=given)
        body = self.shown.serialize_json(value)
        return Response(body, self.status, media_type="application/json")

    async def _explained(self, call: Call) -> Response:
        """The framework's own handler, which wants stacks to leave dependencies on."""
        async with AsyncExitStack() as stack:
            call.scope.update(dict.fromkeys(_STACKS, stack))
            response: Response = await self.framework(call)
        return response


def handler_of(route: APIRoute, framework: Callable[[Any], Any]) -> Handler:
    """The plan of a route, whose own handler is `framework`.

    Raises:
        Unbindable.
    """
    status = route.status_code
    if status is None or (route.response_field is None and route.response_class is not Response):
        raise Unbindable(f"{route.path} does not say what it answers")
    return Handler(route.endpoint, _bound(route), route.response_field, status, framework)


def _bound(route: APIRoute) -> Binding:
    wanted = route.dependant
    models = [one for one in wanted.query_params if _model(one) is not None]
    plain = [one for one in wanted.query_params if one not in models]
    if (
        wanted.dependencies
        or wanted.cookie_params
        or wanted.response_param_name
        or wanted.background_tasks_param_name
        or len(wanted.body_params) > 1
        or len(models) + bool(plain) > 1
        or any(map(_takes_several, (*wanted.query_params, *wanted.header_params)))
    ):
        raise Unbindable(f"{route.path} takes something that is no path, query, header or body")
    body = route.body_field
    return Binding(
        call=wanted.request_param_name,
        path=_parameters(wanted.path_params),
        headers=[
            replace(one, alias=one.alias.lower()) for one in _parameters(wanted.header_params)
        ],
        query=_parameters(plain),
        model=_parameter(models[0]) if models else None,
        body=None if body is None else _parameter(body),
    )


def _model(field: Any) -> type[BaseModel] | None:
    kind = field.field_info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _parameters(fields: Sequence[Any]) -> tuple[Parameter, ...]:
    return tuple(map(_parameter, fields))


def _parameter(field: Any) -> Parameter:
    required = field.field_info.is_required()
    default = None if required else field.default
    if not isinstance(default, _CONSTANTS) or field.field_info.validate_default:
        raise Unbindable(f"{field.name} has a default that has to be made anew each time")
    validate = _as_id if AN_ID in field.field_info.metadata else field.validate
    return Parameter(field.name, field.alias, required, default, validate)


def _as_id(given: Any) -> tuple[Any, Sequence[Any]]:
    """What the framework's validator of an id makes of a text, in a quarter of its time."""
    found = id_of(given)
    return found, () if found is not None else (given,)


def _takes_several(field: Any) -> bool:
    model = _model(field)
    if model is None:
        return _holds_several(field.field_info.annotation)
    return any(_holds_several(one.annotation) for one in model.model_fields.values())


def _holds_several(kind: Any) -> bool:
    return get_origin(kind) in _SEVERAL or any(map(_holds_several, get_args(kind)))
