"""A home's secrets are made once; a newer release adds its own."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.local.home import Home
from deploy.local.secrets import ensure_secrets


def test_a_secret_that_an_older_home_lacks_is_made_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    first = ensure_secrets(home)
    path = home.secrets / "passwords.json"
    older = json.loads(path.read_text())
    del older["patroni"]
    path.write_text(json.dumps(older))
    second = ensure_secrets(home)
    assert second.superuser == first.superuser
    assert second.roles == first.roles
    assert ensure_secrets(home) == second
    assert path.stat().st_mode & 0o077 == 0
