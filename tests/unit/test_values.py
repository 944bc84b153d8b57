"""Values that are frozen for the type checker alone are what frozen ones are otherwise."""

from dataclasses import fields, replace

import pytest

from global_db.values import value
from shards.documents import Document
from shards.tables import documents


@value
class Pair:
    """One of them."""

    first: int
    second: str = "b"


def test_values_are_compared_and_hashed_by_what_they_hold() -> None:
    assert Pair(1) == Pair(1, "b") != Pair(2)
    assert {Pair(1): "known"}[Pair(1, "b")] == "known"
    assert replace(Pair(1), first=3) == Pair(3)


def test_values_have_no_further_attributes() -> None:
    name = "third"
    with pytest.raises(AttributeError):
        setattr(Pair(1), name, 3)


def test_a_document_has_the_columns_of_its_table_in_their_order() -> None:
    """Pages are made by position."""
    assert [field.name for field in fields(Document)] == [column.name for column in documents.c]
