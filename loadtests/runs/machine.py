"""What a run's figures are of: this commit, on this machine."""

import os
import platform
import subprocess
from pathlib import Path

import psutil

from loadtests.runs.record import Machine

_ROOT = Path(__file__).resolve().parents[2]


def this_machine(postgres: str) -> Machine:
    """This machine; the version of PostgreSQL is for the caller to know."""
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory=psutil.virtual_memory().total,
        kernel=platform.release(),
        python=platform.python_version(),
        postgres=postgres,
    )


def this_commit() -> str:
    """The commit of this code, `-dirty` when files differ from it, `unknown` outside of git."""
    done = subprocess.run(
        ("git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"),  # noqa: S607 - where git is, the path says
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else "unknown"
