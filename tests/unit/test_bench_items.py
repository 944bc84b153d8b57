"""Whose time it is, by the stacks that were met."""

from pathlib import Path

import psycopg
import pytest
import starlette.routing

import router.security
from loadtests.bench.items import REST, by_function, by_item

DRIVER = (psycopg.__file__.replace("__init__", "waiting"), "wait_async")
FRAMEWORK = (starlette.routing.__file__, "Router.app")
ADMISSION = (router.security.__file__, "Tenant.admit")
LIBRARY = (Path.__module__, "UUID.__init__")
NOBODY = ("/elsewhere/starlette/routing.py", "run")


@pytest.mark.parametrize(
    ("stack", "item", "function"),
    [
        ([DRIVER, FRAMEWORK], "driver: send, wait, read rows", "psycopg/waiting.py: wait_async"),
        ([FRAMEWORK], "framework, route, arguments", "starlette/routing.py: Router.app"),
        (
            [LIBRARY, ADMISSION, FRAMEWORK],
            "admission: key, limits, rights",
            "router/security.py: Tenant.admit",
        ),
        ([LIBRARY, NOBODY], REST, REST),
        ([], REST, REST),
    ],
    ids=["innermost", "only", "library", "foreign", "nothing"],
)
def test_a_stack_is_its_innermost_known_functions(
    stack: list[tuple[str, str]], item: str, function: str
) -> None:
    [found] = by_item([(stack, 1)], 1.0)
    assert found.name == item
    [found] = by_function([(stack, 1)], 1.0)
    assert found.name == function


def test_a_request_is_shared_out_by_how_often_each_was_met() -> None:
    seen = [([DRIVER], 3), ([FRAMEWORK], 1), ([DRIVER, FRAMEWORK], 4)]
    found = by_item(seen, 400.0)
    assert [(one.micros, one.part) for one in found] == [(350.0, 0.875), (50.0, 0.125)]
