"""Values of which each request makes many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(kind: type[T]) -> type[T]:
    """A dataclass with slots that is frozen for the type checker, and at run time is not.

    A frozen one sets each attribute by a call of `object.__setattr__`: to make a document of 16 it
    takes eight times as long. What `frozen` is for, that nobody changes a value which others hold,
    the type checker demands here as well.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
