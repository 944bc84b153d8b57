"""What an operator does while the load goes on: the project's own commands, marked as events.

Load tests import nothing of the service, so a command is a process. Words in braces stand for what
only the fleet knows: `{added}`, the shard that an act before added; `{half of SHARD}`, codes of
every other tenant under load that lived on that shard when the load began.
"""

import json
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.plan import Plan
from loadtests.runs.moments import Event, Kind
from loadtests.scenario import Act

ROOT = Path(__file__).resolve().parent.parent
_SECONDS = 600.0
_STANDS_FOR = re.compile(r"\{([^}]+)\}")
_LATER = "added"
"""What no preparation can know."""


class ActFailed(Exception):
    """A command did not do its work; the message says what it said."""


@dataclass(frozen=True, slots=True)
class Done:
    """An act that was done: seconds after the start, from and to."""

    act: Act
    begun: float
    ended: float


@dataclass
class Operator:
    """Does the acts, one behind another, each not before its time."""

    plan: Plan
    note: Callable[[Event], None]
    done: list[Done] = field(default_factory=list)
    failed: str | None = None
    _touched: bool = False
    _known: dict[str, Sequence[str]] = field(default_factory=dict)
    _called_off: threading.Event = field(default_factory=threading.Event)
    _started_at: float = 0.0

    def __post_init__(self) -> None:
        self._known = dict(_halves(self.plan))

    def rehearse(self) -> None:
        """See that every act can be done, by its dry run. Raises ActFailed with the reason."""
        for act in self.plan.scenario.acts:
            if _LATER not in _STANDS_FOR.findall(act.do):
                docshard([*self._words(act.do), "--dry-run"])

    def work(self, started_at: float) -> None:
        """Do the acts of a load that began at this time (Unix); ends early when one fails."""
        self._started_at = started_at
        for act in self.plan.scenario.acts:
            due = act.at * self.plan.scenario.seconds - self._second()
            if self._called_off.wait(max(0.0, due)):
                return
            try:
                self._do(act)
            except ActFailed as error:
                self.failed = str(error)
                self._mark(Kind.NOTE, f"failed: {act.do}")
                return

    def call_off(self) -> None:
        """Begin no more acts."""
        self._called_off.set()

    def tidy(self) -> None:
        """Bring the fleet back to what it was, if an act was begun. Raises ActFailed."""
        for command in self.plan.scenario.after if self._touched else ():
            if not self._unknown(command):
                docshard(self._words(command))

    def _do(self, act: Act) -> None:
        begun, self._touched = self._second(), True
        self._mark(act.kind, act.do)
        told = docshard(self._words(act.do))
        self.done.append(Done(act, begun, self._second()))
        self._mark(act.kind, f"done: {act.do}")
        self._learn(told)

    def _learn(self, told: str) -> None:
        if told.startswith("{"):
            shard = json.loads(told).get("shard")
            if isinstance(shard, str):
                self._known[_LATER] = [shard]

    def _unknown(self, command: str) -> bool:
        return any(name not in self._known for name in _STANDS_FOR.findall(command))

    def _words(self, command: str) -> list[str]:
        return words(command, self._known)

    def _mark(self, kind: Kind, text: str) -> None:
        self.note(Event(second=max(0.0, self._second()), kind=kind, text=text))

    def _second(self) -> float:
        return time.time() - self._started_at


def words(command: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    """The words of a command behind `docshard`. Raises ActFailed for what is not known."""
    told = list[str]()
    for word in shlex.split(command)[1:]:
        name = _STANDS_FOR.fullmatch(word)
        if name is None:
            told.append(word)
        elif not known.get(name[1]):
            raise ActFailed(f"{command}: there is nothing that {word} could stand for")
        else:
            told += known[name[1]]
    return told


def docshard(arguments: Sequence[str]) -> str:
    """What `docshard …` writes. Raises ActFailed when it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, words and no shell
            [sys.executable, "-P", "-m", "deploy.cli.main", *arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ActFailed(
            f"docshard {' '.join(arguments)} took longer than {_SECONDS:.0f} s"
        ) from error
    if done.returncode:
        raise ActFailed(f"docshard {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _halves(plan: Plan) -> Iterator[tuple[str, list[str]]]:
    for shard in {tenant.shard for tenant in plan.tenants}:
        codes = sorted(tenant.code for tenant in plan.tenants if tenant.shard == shard)
        yield f"half of {shard}", codes[::2]
