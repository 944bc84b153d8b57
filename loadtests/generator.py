"""Starts locust in a process of its own, and listens to it.

It patches the whole standard library, so it must not share a process with anything else; and what
it costs of the machine can be told apart from what the fleet costs.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from loadtests.plan import Measured, Plan, Told
from loadtests.runs.folder import RunFolder
from loadtests.target import Target

ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 60
"""Longer than any answer is waited for."""


class GeneratorFailed(Exception):
    """Locust ended without results; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Generator:
    """A running locust."""

    process: subprocess.Popen[bytes]
    log: Path
    _results: Path
    _told: int

    def told(self) -> Iterator[Told]:
        """What it says, second by second, until it ends."""
        with os.fdopen(self._told, closefd=False) as lines:
            for line in lines:
                yield Told.model_validate_json(line)

    def measured(self) -> Measured:
        """All that it counted, once it has ended. Raises GeneratorFailed."""
        self.process.wait()
        if not self._results.is_file():
            raise GeneratorFailed(f"locust ended without results:\n{self.log.read_text()[-4000:]}")
        return Measured.model_validate_json(self._results.read_bytes())


@contextmanager
def generator(target: Target, plan: Plan, folder: RunFolder) -> Iterator[Generator]:
    """Start it; it is ended with the block if it has not ended by itself."""
    with TemporaryDirectory(prefix="docshard-load-") as private:  # mode 0700: it holds keys
        written, results = Path(private, "plan.json"), Path(private, "measured.json")
        written.write_text(plan.model_dump_json())
        log = folder.path / "locust.log"
        reading, writing = os.pipe()
        environment = {
            **os.environ,
            "DOCSHARD_LOAD_PLAN": str(written),
            "DOCSHARD_LOAD_MEASURED": str(results),
            "DOCSHARD_LOAD_RUN": str(folder.path.absolute()),
            "DOCSHARD_LOAD_TELL": str(writing),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter, words and no shell
                command(target, plan),
                start_new_session=True,  # Ctrl-C is for who started this, who then ends it
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
            )
        os.close(writing)
        if plan.workers > 1:
            click.echo(_how_to_join(target, plan, written), err=True)
        try:
            yield Generator(process, log, results, reading)
        finally:
            os.close(reading)
            _end(process)


def command(target: Target, plan: Plan) -> list[str]:
    """The locust process; at the end it lets what is under way finish."""
    master = ["--master", "--expect-workers", str(plan.workers)] if plan.workers > 1 else []
    return [
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")),
        *("--headless", "--only-summary", "--host", target.api, *master),
        *("--stop-timeout", str(_STOP_SECONDS), "--exit-code-on-error", "0"),
    ]


def _how_to_join(target: Target, plan: Plan, written: Path) -> str:
    return (
        f"Waiting for {plan.workers} workers. On each machine, with a copy of {written} (it holds "
        f"keys):\n  DOCSHARD_LOAD_PLAN={written} locust -f loadtests/locustfile.py --worker "
        f"--master-host HOST --host {target.api}"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
