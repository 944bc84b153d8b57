"""`python -m router.configuration`: docs/configuration.md, out of the settings themselves."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, HttpUrl, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from router.settings import RouterSettings
from services.environment import SECRETS_FOLDER
from services.pooler_settings import PoolerPasswords
from services.settings import Settings

_HEAD: Final = f"""# Configuration

Router, worker and command read their settings from variables. Written by
`python -m router.configuration`; a test holds this page to the code.

What no variable says is looked for in the folder that `{SECRETS_FOLDER}` names: a file for
each, called like its variable. That is where secrets belong: an environment is inherited, and shown
to whoever may look at the process. Lists and tables are JSON. Times are in seconds unless their
names say otherwise.

With `DOCSHARD_ENV=production` a process refuses to start, with exit status 5 and in words,

- with passwords or S3 keys that are defaults of engines or examples, or shorter than 12 characters;
- with data keys in a file: `DOCSHARD_KEY_FILE`, or the provider `local-file`;
- unless `DOCSHARD_DATABASE_SSLMODE` is `verify-full`, once a server or pooler is on another host.

The local fleet (`docshard up`) has variables of its own: `docshard up --help`.
"""
_KINDS: Final[dict[Any, str]] = {
    **{bool: "true or false", int: "number", float: "number", str: "text"},
    **{Path: "path", HttpUrl: "URL", SecretStr: "text, **secret**"},
}
_BOUNDS: Final = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}"}
_SECRETS: Final = frozenset({"DOCSHARD_BACKUP_ACCESS_KEY", "DOCSHARD_S3_ACCESS_KEY"})


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *("\n".join(_section(model)) for model in _models())])


def variables() -> Iterator[str]:
    """Every variable that a process reads."""
    yield SECRETS_FOLDER
    for model in _models():
        yield from (_variable(model, name) for name, _ in _fields(model))


def _models() -> list[type[BaseSettings]]:
    return [
        Settings,
        *_parts(Settings),
        PoolerPasswords,
        RouterSettings,
        *_parts(RouterSettings),
    ]


def _parts(model: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    for field in model.model_fields.values():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseSettings):
            yield field.annotation


def _fields(model: type[BaseSettings]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields that are variables; parts have pages of their own."""
    parts = set(_parts(model))
    return ((name, one) for name, one in model.model_fields.items() if one.annotation not in parts)


def _variable(model: type[BaseSettings], name: str) -> str:
    return f"{model.model_config['env_prefix']}{name}".upper()


def _section(model: type[BaseSettings]) -> Iterator[str]:
    yield f"## {model.__name__}\n\n{inspect.getdoc(model)}\n"
    yield "| variable | value | default | |\n|---|---|---|---|"
    told = _docstrings(model)
    for name, field in _fields(model):
        variable = _variable(model, name)
        value = _value(field) + (", **secret**" if variable in _SECRETS else "")
        yield f"| `{variable}` | {value} | {_default(field)} | {told.get(name, '')} |"
    yield ""


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """What stands below each field in the source, as one line."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - the source of a class
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    found[field.target.id] = " ".join(text.split()).replace("|", "\\|")
    return found


def _value(field: FieldInfo) -> str:
    bounds = [
        form.format(getattr(one, name))
        for one in field.metadata
        for name, form in _BOUNDS.items()
        if getattr(one, name, None) is not None
    ]
    return " ".join([_kind(field.annotation), *bounds])


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return ", ".join(_kind(one) for one in inner if one is not type(None))
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in (tuple, list):
        return f"JSON list of {_members(inner[0]) or 'texts'}"
    if origin is dict:
        return "JSON table"
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return ", ".join(f"`{one.value}`" for one in annotation)
    members = _members(annotation)
    return f"JSON {members}" if members else _KINDS[annotation]


def _members(annotation: Any) -> str | None:
    """The names of a model's fields; None for what is no model."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return f"{{{', '.join(annotation.model_fields)}}}"
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value in (None, "", (), {}):
        return "none"
    return f"`{value.value if isinstance(value, Enum) else value}`"


if __name__ == "__main__":
    sys.stdout.write(page())
