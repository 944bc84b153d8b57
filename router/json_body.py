"""JSON bodies, read strictly: what would change or fail on its way through storage is refused."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from services.errors import FieldError, InvalidJson, InvalidRequest

MAX_DEPTH: Final = 32
# More than any of our bodies has: each unknown one would be judged, and told, by itself.
MAX_MEMBERS: Final = 1000
_INT64: Final = 2**63
# PostgreSQL's text has no NUL, and a lone surrogate is not a character.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_JSON_MEDIA_TYPE: Final = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


def is_json(media_type: str) -> bool:
    """Tell whether a Content-Type announces JSON."""
    return _JSON_MEDIA_TYPE.fullmatch(media_type.strip()) is not None


def parse(body: bytes) -> Any:
    """Parse a JSON text.

    The standard parser is used for its exactness: faster ones round integers beyond 64 bits
    silently, so that nobody could refuse them afterwards.

    Raises:
        InvalidJson: it is not JSON (RFC 8259), or not UTF-8, or nested absurdly.
        InvalidRequest: it holds values that cannot be kept as they are.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidJson("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise InvalidJson("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InvalidJson(f"{error.msg} at byte {error.pos}.") from None
    except ValueError as error:  # an integer of thousands of digits
        raise InvalidJson(f"A number cannot be read: {error}.") from None
    _refuse_crowds(value)
    refused = [one for _, one in zip(range(20), unkeepable(value), strict=False)]
    if refused:
        raise InvalidRequest(refused[0].message, refused)
    return value


def _refuse_crowds(value: Any) -> None:
    """Of the body itself and of items in its lists; how large metadata may be is bounded apart."""
    inside = value.values() if isinstance(value, dict) else ()
    items = (one for many in inside if isinstance(many, list) for one in many)
    if any(isinstance(one, dict) and len(one) > MAX_MEMBERS for one in (value, *items)):
        raise InvalidRequest(f"An object of the body has more than {MAX_MEMBERS} members.")


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON.")


def unkeepable(value: Any) -> Iterator[FieldError]:
    """Name every value that storage would refuse or change, by its pointer."""
    waiting: list[tuple[str, int, Any]] = [("", 1, value)]
    while waiting:
        pointer, depth, item = waiting.pop()
        fault = _fault(item, depth)
        if fault:
            yield FieldError(pointer, fault)
        elif isinstance(item, dict):
            yield from _bad_keys(pointer, item)
            waiting.extend((_child(pointer, key), depth + 1, one) for key, one in item.items())
        elif isinstance(item, list):
            waiting.extend((f"{pointer}/{at}", depth + 1, one) for at, one in enumerate(item))


def _fault(item: Any, depth: int) -> str | None:
    if isinstance(item, str):
        return "Must not contain NUL or lone surrogates." if _UNSTORABLE.search(item) else None
    if isinstance(item, bool):
        return None
    if isinstance(item, int) and not -_INT64 <= item < _INT64:
        return "Integers beyond 64 bits are not kept exactly: send a string."
    if isinstance(item, float) and not math.isfinite(item):
        return "The number is too large for a double: send a string."
    if isinstance(item, dict | list) and depth > MAX_DEPTH:
        return f"Nested more than {MAX_DEPTH} levels deep."
    return None


def _bad_keys(pointer: str, item: dict[str, Any]) -> Iterator[FieldError]:
    for key in item:
        if _UNSTORABLE.search(key):
            yield FieldError(_child(pointer, key), "Names must not contain NUL or lone surrogates.")


def _child(pointer: str, key: str) -> str:
    shown = _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", key)
    shortened = shown if len(shown) <= 100 else f"{shown[:100]}…"
    return f"{pointer}/{shortened.replace('~', '~0').replace('/', '~1')}"
