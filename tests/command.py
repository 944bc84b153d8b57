"""`docshard …` as a process of its own that has imported everything: nearly all of its time.

One process imports the commands and is forked for each that is run. As with `python -m
deploy.cli.main`, a command has the environment that it is given, output and exit status of its own,
and nothing of the tests in it.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

from deploy import cli
from deploy.cli.main import main


def run_docshard(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run `docshard …` to its end.

    Raises:
        subprocess.TimeoutExpired: after these seconds it was killed.
    """
    words = ["docshard", *arguments]
    with tempfile.TemporaryDirectory(prefix="docshard-command-") as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = starter().Process(target=_be, args=(words, dict(environment), (out, err)))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, seconds, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess(
            words, process.exitcode, out.read_text(), err.read_text()
        )


@cache
def starter() -> ForkServerContext:
    """Starts processes that have imported what the commands import, which is nearly everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [f"{cli.__name__}.{module.name}" for module in pkgutil.iter_modules(cli.__path__)]
    )
    return context


def _be(words: list[str], environment: dict[str, str], outputs: tuple[Path, Path]) -> None:
    """Turn this process into the command."""
    for output, number in zip(outputs, (1, 2), strict=True):
        with output.open("wb") as file:
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words
    main()
