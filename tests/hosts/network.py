"""A network of this machine's own: a bridge, and a namespace with one address for each host."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

_MARK = "docs"


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=not check)


@dataclass(frozen=True)
class Network:
    """`prefix` is that of its addresses, `mark` what its devices and namespaces begin with."""

    prefix: str
    mark: str
    members: list[int] = field(default_factory=list)

    @property
    def range(self) -> str:
        return f"{self.prefix}.0/24"

    @property
    def here(self) -> str:
        """The address of whoever runs the tests."""
        return self.address(1)

    def address(self, number: int) -> str:
        return f"{self.prefix}.{number}"

    def namespace(self, number: int) -> str:
        return f"{self.mark}-{number}"

    def join(self, number: int) -> None:
        """A namespace for the host of this number, with an address and a cable to the bridge."""
        name, cable = self.namespace(number), self._cable(number)
        self.members.append(number)
        _ip("netns", "add", name)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", cable, "master", self.mark, "up")
        _ip("-n", name, "address", "add", f"{self.address(number)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")

    def cut(self, number: int) -> None:
        """Pull the cable: nobody hears of it, packets are lost."""
        _ip("link", "set", self._cable(number), "down")

    def mend(self, number: int) -> None:
        _ip("link", "set", self._cable(number), "up")

    def _cable(self, number: int) -> str:
        return f"{self.mark}v{number}"


@contextmanager
def network() -> Iterator[Network]:
    """A bridge for the length of the block; its namespaces go with it."""
    _sweep()
    made = Network(
        f"10.{231 + secrets.randbelow(20)}.{secrets.randbelow(256)}", f"{_MARK}{os.getpid()}"
    )
    _ip("link", "add", made.mark, "type", "bridge")
    try:
        _ip("address", "add", f"{made.here}/24", "dev", made.mark)
        _ip("link", "set", made.mark, "up")
        yield made
    finally:
        for number in made.members:
            _ip("netns", "delete", made.namespace(number), check=False)
        _ip("link", "delete", made.mark, check=False)


def _sweep() -> None:
    """Take away what runs have left that were killed; a mark tells whose it is."""
    for kind in ("netns", "link"):
        told = subprocess.run(["ip", "-o", kind], capture_output=True, text=True, check=True).stdout
        for name, pid in re.findall(rf"\b({_MARK}(\d+)(?:-\d+)?)\b", told):
            if not psutil.pid_exists(int(pid)):
                _ip(kind, "delete", name, check=False)
