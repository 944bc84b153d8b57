"""pg_amcheck on a restored server: are its tables and indexes what they should be?"""

from __future__ import annotations

import subprocess

from deploy.local import processes
from deploy.local.apart import has_socket
from deploy.local.beside import Lying
from deploy.local.postgres import ENVIRONMENT

_FAULTY = 2
_TOLD = 5


def amcheck(lying: Lying, port: int, database: str) -> list[str]:
    """Look at every table and B-tree of the database; answers what is wrong.

    The extension that does it is made in the copy alone.
    """
    program = lying.programs / "pg_amcheck"
    if not program.exists():
        return [f"{program} is not there: pages were not looked at"]
    if not has_socket(lying.data):
        return [f"{lying.data} is too long for a socket's name: pages were not looked at"]
    done = subprocess.run(
        [
            str(program),
            f"--host={lying.data}",
            f"--port={port}",
            "--username=postgres",
            "--install-missing",
            "--jobs=2",
            database,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=ENVIRONMENT,
        user=lying.user,
        group=processes.primary_group(lying.user),
        extra_groups=[] if lying.user else None,
    )
    if done.returncode == 0:
        return []
    words = (done.stdout + done.stderr).strip().splitlines()
    kind = "found" if done.returncode == _FAULTY else "ended with"
    return [f"pg_amcheck {kind}: {line}" for line in words[:_TOLD]]
