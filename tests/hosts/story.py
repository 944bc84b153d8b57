"""What tenants do while the fleet is hurt and changed, and what is said of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import httpx

from tests.acceptance.api import make_key
from tests.faults.tenant_load import Ledger, Load, Rhythm, lost_or_doubled, under_load
from tests.hosts.fleet import FIRST, PATIENCE_SECONDS, ThreeHosts

EMAIL, PASSWORD = "operator@docshard.test", "a password made by nobody else"
PASSWORD_FILE = "/etc/docshard/first-admin"
_TENANTS = 4
_RHYTHM = Rhythm(write=0.2, read=0.4)


@dataclass
class Story:
    """A fleet that serves, its tenants, and the lines of the transcript."""

    fleet: ThreeHosts
    tell: Callable[[str], None]
    ledgers: list[Ledger] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)

    def say(self, line: str) -> None:
        """A line of the transcript, with the seconds since the story began."""
        self.tell(f"{time.monotonic() - self._begun:6.1f} s  {line}")

    def command(self, *words: str) -> None:
        """Run `docshard …` as the operator, and tell it."""
        self.together(words)

    def together(self, *commands: Sequence[str]) -> None:
        """The same of several that do not wait for each other."""
        with ThreadPoolExecutor() as threads:
            running = [threads.submit(self.fleet.operator, *words) for words in commands]
            for words in commands:
                self.say(f"$ docshard {' '.join(words)}")
            for one in running:
                done = one.result()
                for line in (done.stderr + done.stdout).splitlines():
                    self.say(f"  {line}")

    def init_admin(self) -> Sequence[str]:
        """The words that make the administrator, whose password stands there until then."""
        host = self.fleet.hosts[FIRST]
        host.run("install", "-m", "0600", "/dev/null", PASSWORD_FILE)
        host.write(PASSWORD_FILE, PASSWORD + "\n")
        return "init-admin", EMAIL, "--password-file", PASSWORD_FILE

    def forget_password(self) -> None:
        """It is in the directory now, hashed."""
        self.fleet.hosts[FIRST].path(PASSWORD_FILE).unlink()

    def make_tenants(self) -> None:
        """Tenants that write and read from now on, when they are asked to."""
        trust = self.fleet.trust
        with httpx.Client(
            base_url=self.fleet.api, timeout=30, verify=trust, trust_env=False
        ) as http:
            given = {"email": EMAIL, "password": PASSWORD}
            token = http.post("/v1/auth/login", json=given).raise_for_status().json()
            http.headers["Authorization"] = f"Bearer {token['access_token']}"
            for number in range(_TENANTS):
                body = {"code": f"tenant-{number}", "name": "A tenant"}
                made = http.post("/v1/clients", json=body).raise_for_status().json()
                key = make_key(http, made["id"])["key"]
                ledger = Ledger(made["id"], key, trust=trust, patience_seconds=PATIENCE_SECONDS)
                self.ledgers.append(ledger)
                self._put_content(ledger)
        self.say(f"{_TENANTS} tenants are there")

    def _put_content(self, ledger: Ledger) -> None:
        """A document with bytes in the object store."""
        headers = {"Authorization": f"Bearer {ledger.key}"}
        with httpx.Client(
            base_url=self.fleet.api, headers=headers, timeout=30, verify=ledger.trust
        ) as http:
            given = {"original_name": "letter.txt", "mime_type": "text/plain"}
            made = http.post(ledger.documents, json=given).raise_for_status().json()
            path = f"{ledger.documents}/{made['id']}/content"
            http.put(path, content=b"To whom it may concern").raise_for_status()
        ledger.made["letter.txt"] = made["id"]

    def load(self) -> AbstractContextManager[Load]:
        """All tenants write and read for the length of the block."""
        return under_load(self.fleet.api, self.ledgers, _RHYTHM)

    def acknowledged(self) -> int:
        return sum(len(ledger.acknowledged) for ledger in self.ledgers)

    def gap(self, since: float) -> float:
        """The longest time since then in which some tenant's writes were not acknowledged."""
        now = time.monotonic()
        return max(ledger.longest_gap(since - 1, now) for ledger in self.ledgers)

    def assert_nothing_lost(self) -> None:
        """Every acknowledged write is there once (I1, I2), and no caller met a fault."""
        for ledger in self.ledgers:
            assert ledger.faults == []
            assert lost_or_doubled(self.fleet.api, ledger) == []
