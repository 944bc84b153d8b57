"""Patroni runs from copies where its user cannot get at this installation."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from deploy.local.runtime import copied_packages, copied_python


def test_the_copies_are_complete(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("patroni")
    assert spec is not None and spec.origin is not None
    packages = copied_packages(Path(spec.origin).parents[1], tmp_path)
    home = copied_python(Path(sys.executable).resolve(), tmp_path)
    program = "import patroni.__main__, patroni.api, patroni.dcs.etcd3, psycopg, ssl, sys;"
    done = subprocess.run(
        [
            home / "bin" / Path(sys.executable).resolve().name,
            "-P",
            "-c",
            program + "print(*sys.path)",
        ],
        env={
            "PYTHONPATH": str(packages),
            "PYTHONHOME": str(home),
            "LD_LIBRARY_PATH": str(home / "lib"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(tmp_path)) for path in done.stdout.split())
