"""One running fleet for all acceptance tests, and callers of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.acceptance.api import Tenant, connect, log_in, make_tenant
from tests.acceptance.fleet import LocalFleet
from tests.acceptance.stage import Stage


@pytest.fixture(scope="session")
def admin(fleet: LocalFleet) -> Iterator[httpx.Client]:
    """The fleet's administrator."""
    with connect(fleet, log_in(fleet)) as http:
        yield http


@pytest.fixture(scope="session")
def anonymous(fleet: LocalFleet) -> Iterator[httpx.Client]:
    with connect(fleet) as http:
        yield http


@pytest.fixture(scope="session")
def tenant(fleet: LocalFleet, admin: httpx.Client) -> Iterator[Tenant]:
    yield from make_tenant(fleet, admin)


@pytest.fixture(scope="session")
def other_tenant(fleet: LocalFleet, admin: httpx.Client) -> Iterator[Tenant]:
    yield from make_tenant(fleet, admin)


@pytest.fixture(scope="session")
def stage(fleet: LocalFleet, admin: httpx.Client) -> Stage:
    return Stage(fleet, admin)
