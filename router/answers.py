"""What an operation can answer, for the API description: statuses, bodies, headers, examples."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from router.problems import DOCS_PATH, MEDIA_TYPE, STATUS, known_errors, problem_document

Json = dict[str, Any]

EXAMPLE_REQUEST_ID: Final = "01983f5e-7c1a-7d2b-9a4e-0c5b7d1e2f30"
_EXAMPLES_REF: Final = "#/components/examples"
PROBLEM_REF: Final[Json] = {"$ref": "#/components/schemas/Problem"}

PROBLEM_SCHEMA: Final[Json] = {
    "type": "object",
    "title": "Problem",
    "description": "An error as RFC 9457 has it. Programs rely on `code`, people read `detail`.",
    "required": [
        "type", "title", "status", "detail", "instance", "code", "request_id", "errors",
    ],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "description": "Where the code is explained."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The path that was called."},
        "code": {"type": "string", "enum": list(STATUS)},
        "request_id": {"type": "string", "description": "The same as the header Request-Id."},
        "errors": {
            "type": "array",
            "description": "Each wrong value of the request.",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "additionalProperties": False,
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "A JSON Pointer into the body, ?parameter or #header.",
                    },
                    "message": {"type": "string"},
                },
            },
        },
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a call that went well."""

    status: int
    description: str
    model: type[BaseModel] | None = None
    example: Any = None
    headers: Mapping[str, Json] = field(default_factory=dict)
    media_types: tuple[str, ...] = ()
    """Of content that is not JSON."""

    def document(self, more_headers: Mapping[str, Json] = MappingProxyType({})) -> Json:
        """The response object of OpenAPI."""
        found: Json = {"description": self.description}
        if self.headers or more_headers:
            found["headers"] = {**self.headers, **more_headers}
        if self.example is not None:
            found["content"] = {"application/json": {"example": self.example}}
        if self.media_types:
            binary = {"schema": {"type": "string", "format": "binary"}}
            found["content"] = dict.fromkeys(self.media_types, binary)
        return found


def header(description: str, example: str) -> Json:
    """Describe one header of an answer."""
    return {"description": description, "schema": {"type": "string"}, "example": example}


def problems(codes: Iterable[str]) -> dict[int | str, Json]:
    """Describe the refusals of an operation, each code with an example."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in STATUS:  # in the table's order
        if code in set(codes):
            by_status[STATUS[code]].append(code)
    return {status: _problem(status, found) for status, found in by_status.items()}


def _problem(status: int, codes: list[str]) -> Json:
    response: Json = {
        "description": " · ".join(f"[`{code}`]({DOCS_PATH}#{code})" for code in codes),
        "content": {
            MEDIA_TYPE: {
                "schema": PROBLEM_REF,
                "examples": {code: {"$ref": f"{_EXAMPLES_REF}/{code}"} for code in codes},
            }
        },
    }
    if status in {429, 503}:
        response["headers"] = {"Retry-After": header("Seconds to wait.", "2")}
    if status == 401:
        response["headers"] = {"WWW-Authenticate": header("How to get in.", "Bearer")}
    return response


def problem_examples() -> Json:
    """An example of every error, for components/examples."""
    return {code: {"summary": f"{STATUS[code]} {code}", "value": _example(code)} for code in STATUS}


def _example(code: str) -> Json:
    kind = known_errors()[code]
    error = kind()
    document = problem_document(error, "/v1/…", EXAMPLE_REQUEST_ID)
    if code == "invalid_request":
        message = "Extra inputs are not permitted"
        document |= {
            "detail": f"/colour: {message}",
            "errors": [{"pointer": "/colour", "message": message}],
        }
    return document
