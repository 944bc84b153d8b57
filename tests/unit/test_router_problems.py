"""The one table from code to status."""

from router.docs import errors_page
from router.problems import STATUS, known_errors, pointer


def test_every_error_has_a_status_and_every_status_an_error() -> None:
    assert set(STATUS) == set(known_errors())


def test_every_code_is_explained_where_type_points() -> None:
    page = errors_page()
    for code, status in STATUS.items():
        assert f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td>' in page


def test_pointers() -> None:
    assert pointer(("body", "metadata", "a/b~", 0)) == "/metadata/a~1b~0/0"
    assert pointer(("body",)) == ""
    assert pointer(("query", "limit")) == "?limit"
    assert pointer(("header", "If-Match")) == "#If-Match"
    assert pointer(("body", "a\ud800")) == r"/a\ud800"
