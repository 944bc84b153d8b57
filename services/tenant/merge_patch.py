"""JSON Merge Patch, RFC 7396: null removes a member, an object is merged, all else replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


def merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The object that `patch` makes of `target`; neither is changed."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            below = merged.get(name)
            merged[name] = merge_patch(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def size_of(value: Mapping[str, Any]) -> int:
    """Bytes that `value` takes as JSON."""
    return len(orjson.dumps(value))
