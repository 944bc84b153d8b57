"""Programs that load tests start: our own interpreter, and with it the product's command.

Load tests import nothing of the service, so what an operator would do is a process.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
"""Where this code lies."""

DOCSHARD = ("-P", "-m", "deploy.cli.main")
"""`docshard`, for the interpreter."""


class CommandFailed(Exception):
    """A command could not be given, or did not do its work; the message says why."""


def python(*arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    """A process of our own interpreter; options are those of `subprocess.Popen`."""
    return subprocess.Popen([sys.executable, *arguments], **options)  # noqa: S603 - our own interpreter, words and no shell


def docshard(
    *arguments: str, environment: Mapping[str, str] | None = None, seconds: float = 600.0
) -> str:
    """What `docshard …` writes; without an environment it has ours.

    Raises CommandFailed when it fails, or takes longer than so many seconds.
    """
    told = f"docshard {' '.join(arguments)}"
    with python(
        *DOCSHARD,
        *arguments,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            written, complaint = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"{told} took longer than {seconds:.0f} s") from error
        finally:
            process.kill()  # who is told to end must not wait for it; one that has ended is left be
    if process.returncode:
        raise CommandFailed(f"{told}: {complaint.decode(errors='replace').strip()[-2000:]}")
    return written.decode()
