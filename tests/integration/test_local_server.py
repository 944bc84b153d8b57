"""A part of the local fleet starts, whatever the process before it is just doing."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from deploy.errors import OperatorError
from deploy.fleet.planning import Ports, Shape, plan
from deploy.local import processes
from deploy.local.home import Home, State
from deploy.local.secrets import Secrets
from deploy.local.servers import Server, Site
from deploy.local.waiting import awaited

# Says that it serves until it is asked to end, and takes a moment for that.
_SERVES = """
import pathlib, signal, sys, threading
asked = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: asked.set())
ready = pathlib.Path(sys.argv[1])
ready.touch()
asked.wait()
ready.unlink()
threading.Event().wait(0.3)
"""


class Doorman(Server):
    kind: ClassVar[str] = "doorman"
    port = None
    program = _SERVES

    def prepare(self) -> None:
        self.site.home.run.mkdir(parents=True, exist_ok=True)

    def command(self) -> processes.Command:
        arguments = [sys.executable, "-c", self.program, str(self.mark)]
        return processes.Command(arguments, self.site.home.path, self.log)

    def ready(self) -> bool:
        return self.mark.exists()

    @property
    def mark(self) -> Path:
        return self.site.home.path / "ready"


@pytest.fixture
def doorman(tmp_path: Path) -> Iterator[Doorman]:
    fleet = plan(Shape(shards=1, replicas=0, poolers=False), Ports(8080, is_free=lambda _: True))
    made = Doorman(Site(Home(tmp_path), State(fleet=fleet, data=tmp_path), Secrets()), "doorman")
    yield made
    made.stop()


def test_one_that_is_just_ending_is_followed_by_another(doorman: Doorman) -> None:
    doorman.start()
    first = doorman.process()
    assert first is not None
    first.send_signal(signal.SIGTERM)
    assert awaited(lambda: not doorman.ready(), seconds=5)
    assert doorman.process() == first
    doorman.start()
    assert doorman.serves()
    assert doorman.process() not in (None, first)


def test_one_that_ends_at_once_is_not_started_again_and_again(doorman: Doorman) -> None:
    doorman.program = "import sys; sys.exit('no light here')"
    with pytest.raises(OperatorError, match=r"ended while starting \(status 1\)") as told:
        doorman.start()
    assert "no light here" in str(told.value)
