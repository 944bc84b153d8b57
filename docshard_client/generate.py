"""`python docshard_client/generate.py`: make models.py anew from openapi.json.

Called by its path, so that models which do not fit the rest yet are no hindrance. A tool of this
repository; the wheel leaves it out. What answers hold becomes a model; request bodies do not,
since methods take their members as parameters.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

HERE: Final = Path(__file__).parent
DESCRIPTION: Final = HERE.parent / "openapi.json"
MODELS: Final = HERE / "models.py"

_HEADER: Final = '''"""What the service answers, as values.

Generated from openapi.json by `make api`; do not edit.
"""
'''
_PREFIX: Final = "#/components/schemas/"

# Names are those of the description without "Shown", where no better one is given here.
_NAMES: Final = {
    "BatchShown": "BatchResults",
    "DocumentMade": "NewDocument",
    "EnrolmentShown": "MfaEnrolment",
    "LinkShown": "PasswordLink",
    "PartShown": "UploadPart",
    "RequestShown": "PresignedRequest",
    "ResultShown": "BatchResult",
    "SessionShown": "UserSession",
}
# The description repeats inherited fields; here they are inherited again.
_BASES: Final = {
    "DocumentMade": "DocumentShown",
    "NewApiKeyShown": "ApiKeyShown",
    "PartShown": "RequestShown",
}
# What travels as a header and belongs to the value all the same.
_FROM_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "DocumentShown": {
        "etag": {
            "anyOf": [{"type": "string"}, {"type": "null"}],
            "description": "What changes of the document want; None in a list, which has no ETags.",
        }
    }
}
# A problem that is part of an answer stays as it came: its codes grow.
_PLAIN: Final = {"JsonValue": {}, "Problem": {"type": "object", "additionalProperties": {}}}
# Refusing what the service itself has sent would help nobody.
_DROPPED: Final = {"title", "pattern", "examples", "minLength", "maxLength", "enum"}
_LIST_FIELDS: Final = {"items", "next_cursor"}


def main() -> None:
    """Write the file."""
    MODELS.write_text(render(json.loads(DESCRIPTION.read_bytes())))


def render(description: Mapping[str, Any]) -> str:
    """The text of models.py for this description."""
    with TemporaryDirectory(prefix="docshard-models-") as folder:
        given, made = Path(folder, "answers.json"), Path(folder, "models.py")
        given.write_text(json.dumps(answers(description)))
        subprocess.run(_command(given, made), check=True)  # noqa: S603 - our own interpreter, no shell
        text = made.read_text()
    names = sorted(_name(schema) for schema in _answered(description))
    return _tidy(f"{_HEADER}\n{text}\n\n__all__ = {json.dumps(names)}\n")


def answers(description: Mapping[str, Any]) -> dict[str, Any]:
    """A description of the answers alone, in the words and forms of the SDK."""
    schemas = description["components"]["schemas"]
    wanted = {_name(name): _model(schemas, name) for name in _answered(description)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "answers", "version": "1"},
        "paths": {},
        "components": {"schemas": wanted},
    }


def _command(given: Path, made: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "datamodel_code_generator"),
        *("--input", str(given), "--input-file-type", "openapi", "--output", str(made)),
        *("--output-model-type", "pydantic_v2.BaseModel", "--target-python-version", "3.11"),
        *("--base-class", "docshard_client.model.Model", "--custom-file-header", " "),
        *("--use-schema-description", "--use-field-description"),
        *("--use-single-line-docstring", "--use-annotated"),
        *("--use-generic-container-types", "--use-standard-collections"),
        *("--disable-future-imports", "--use-double-quotes", "--no-formatters"),
    ]


def _answered(description: Mapping[str, Any]) -> list[str]:
    """The schemas that successful answers are made of, sorted; lists and plain ones left out."""
    schemas = description["components"]["schemas"]
    found: set[str] = set()
    pending = {
        name
        for path in description["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        if status.startswith("2")
        for name in _references(response)
    }
    while pending:
        found |= pending
        pending = {below for name in pending for below in _references(schemas[name])} - found
    lists = {name for name in found if set(schemas[name].get("properties", "-")) <= _LIST_FIELDS}
    enums = {name for name in found if "enum" in schemas[name]}
    # A problem's own parts are reached through it alone, and it has none with a name.
    return sorted(found - lists - enums - set(_PLAIN))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix(_PREFIX)
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _name(schema: str) -> str:
    return _NAMES.get(schema, schema.removesuffix("Shown"))


def _model(schemas: Mapping[str, Any], name: str) -> dict[str, Any]:
    schema, base = schemas[name], _BASES.get(name)
    inherited = schemas[base]["properties"] if base else {}
    fields = {
        field: _plainer(schemas, value)
        for field, value in (schema["properties"] | _FROM_HEADERS.get(name, {})).items()
        if field not in inherited
    }
    return {
        "type": "object",
        "description": schema.get("description", ""),
        "allOf": [{"$ref": _PREFIX + _name(base)}] if base else [],
        "properties": fields,
        # What may be null may be absent: an older service does not know it yet.
        "required": [field for field in schema["required"] if not _nullable(fields.get(field))],
    }


def _nullable(field: Mapping[str, Any] | None) -> bool:
    return field is None or {"type": "null"} in field.get("anyOf", ())


def _plainer(schemas: Mapping[str, Any], value: Any) -> Any:
    """A field's schema with our names and without constraints."""
    if isinstance(value, list):
        return [_plainer(schemas, inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        name = value["$ref"].removeprefix(_PREFIX)
        if name in _PLAIN:
            return _PLAIN[name]
        if "enum" in schemas[name]:
            return {"type": "string", "description": schemas[name].get("description", "")}
        return {"$ref": _PREFIX + _name(name)}
    kept = {key: _plainer(schemas, inner) for key, inner in value.items() if key not in _DROPPED}
    if kept.get("format") == "ipvanyaddress":
        del kept["format"]
    return kept


def _tidy(text: str) -> str:
    """The same, as this repository is formatted."""
    for words in (("check", "--select", "I", "--fix"), ("format",)):
        done = subprocess.run(  # noqa: S603 - our own interpreter, no shell
            [sys.executable, "-m", "ruff", *words, "--quiet", "--stdin-filename", str(MODELS), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text


if __name__ == "__main__":
    main()
