"""Whom `docshard docs` calls as whom: never a key to another address than it is meant for."""

from pathlib import Path
from uuid import UUID

import pytest

from deploy.cli.docs_api import Caller, find_caller
from deploy.errors import UsageFault

CLIENT = UUID(int=1)
LOCAL = {
    "DOCSHARD_API": "http://127.0.0.1:8080",
    "DOCSHARD_DEMO_KEY": "dsk_demo",
    "DOCSHARD_DEMO_CLIENT_ID": str(CLIENT),
}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    text = "".join(f"export {name}={value}\n" for name, value in LOCAL.items())
    (tmp_path / "env").write_text(text)
    return {"DOCSHARD_HOME": str(tmp_path)}


def test_a_local_fleet_needs_nothing_said(home: dict[str, str]) -> None:
    assert find_caller(home) == Caller(LOCAL["DOCSHARD_API"], "dsk_demo", CLIENT)
    assert find_caller(LOCAL) == find_caller(home)


def test_the_demo_key_goes_to_no_other_address(home: dict[str, str]) -> None:
    with pytest.raises(UsageFault):
        find_caller({**home, "DOCSHARD_API": "https://elsewhere.example"})


def test_an_own_key_is_not_bound_to_the_demo_client(home: dict[str, str], tmp_path: Path) -> None:
    own = Caller(LOCAL["DOCSHARD_API"], "dsk_own", None)
    assert find_caller({**home, "DOCSHARD_API_KEY": "dsk_own"}) == own
    (tmp_path / "key").write_text("dsk_own\n")
    assert find_caller({**home, "DOCSHARD_API_KEY_FILE": str(tmp_path / "key")}) == own


def test_what_is_wrong_is_told(home: dict[str, str]) -> None:
    for wrong in (
        {},
        {**home, "DOCSHARD_API_KEY_FILE": "/nowhere"},
        {**home, "DOCSHARD_CLIENT_ID": "harbour-legal"},
    ):
        with pytest.raises(UsageFault):
            find_caller(wrong)


def test_the_key_does_not_show(home: dict[str, str]) -> None:
    assert "dsk_demo" not in repr(find_caller(home))
