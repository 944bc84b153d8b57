"""Domain errors: one code each, a title, a meaning, and no word of HTTP."""

import re

import pytest

from services import errors


@pytest.mark.parametrize("kind", errors.all_errors(), ids=lambda kind: kind.__name__)
def test_every_error_has_code_title_and_meaning(kind: type[errors.ServiceError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert kind.title
    assert "code" in vars(kind)
    assert "title" in vars(kind)
    assert kind.__doc__
    assert kind().detail == str(kind()) != ""


def test_detail_is_the_title_unless_told() -> None:
    assert errors.NotFound().detail == "Not found."
    assert errors.NotFound("No such shelf.").detail == "No such shelf."


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in errors.all_errors()]
    assert len(codes) == len(set(codes))


def test_temporary_errors_say_when_to_come_back() -> None:
    temporary = [kind for kind in errors.all_errors() if issubclass(kind, errors.TemporaryError)]
    assert {kind.code for kind in temporary} >= {"overloaded", "shard_unavailable", "busy"}
    assert all(kind().retry_after_seconds > 0 for kind in temporary)
    assert errors.Overloaded(retry_after_seconds=9).retry_after_seconds == 9


def test_invalid_request_names_the_field() -> None:
    error = errors.InvalidRequest.at("/name", "too long")
    assert error.detail == "too long"
    assert error.errors == (errors.FieldError("/name", "too long"),)
