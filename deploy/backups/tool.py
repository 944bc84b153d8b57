"""Runs pgBackRest, and tells how far it is."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.backups.installation import Backed, Installation
from deploy.errors import OperatorError
from deploy.fleet.pgbackrest import options

_PERCENT = re.compile(r"\((?:bundle [^,]*, )?([\d.]+)([KMGT]?B), (\d+(?:\.\d+)?)%\)")
_LOG = re.compile(r"^(?:\S+ \S+ )?P\d\d +(\w+): (.*)$")
_TOLD = 6
_LOCKED = "[050]"

Progress = Callable[[float], None]
"""Hears what part is done, 0 to 1."""


class BackupFailed(OperatorError):
    """pgBackRest ended with an error, which is told in its own words."""


class BackupUnderWay(BackupFailed):
    """Another process takes a backup of this cluster on this host."""


@dataclass(frozen=True)
class Tool:
    """pgBackRest for the servers of this host."""

    installation: Installation

    def json(self, server: Backed, *arguments: str) -> Any:
        """What a command prints as JSON.

        Raises:
            BackupFailed.
        """
        text = "\n".join(self.text(server, arguments))
        try:
            # Not strict: its messages may quote what no JSON text may hold.
            return json.loads(text, strict=False)
        except json.JSONDecodeError as error:
            raise BackupFailed(
                f"What pgBackRest says of {server.cluster} cannot be read: {error}."
            ) from error

    def text(self, server: Backed, arguments: Sequence[str]) -> list[str]:
        """The lines that a command prints, without its log.

        Raises:
            BackupFailed.
        """
        quiet = ["--log-level-console=off", "--log-level-stderr=error"]
        process = self._started(server, [*quiet, *arguments], None)
        out, err = process.communicate()
        if process.returncode:
            raise _failed(arguments[-1], server, err.splitlines())
        return out.splitlines()

    def run(
        self,
        server: Backed,
        arguments: Sequence[str],
        *,
        told: Progress | None = None,
        host: str | None = None,
    ) -> list[str]:
        """Run a command to its end; `host` is where its server listens. Answers its log.

        Raises:
            BackupFailed.
        """
        quiet = ["--log-level-console=detail", "--log-level-stderr=off"]
        process = self._started(server, [*quiet, *arguments], host)
        lines = []
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if told is not None and (found := _PERCENT.search(line)):
                told(float(found[3]) / 100)
        rest = process.communicate()[1]
        if process.returncode:
            raise _failed(arguments[-1], server, [*lines, *rest.splitlines()])
        return lines

    def _started(
        self, server: Backed, arguments: Sequence[str], host: str | None
    ) -> subprocess.Popen[str]:
        mine = self.installation
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        if host is not None:
            environment |= {"PGHOST": host, "PGPASSWORD": mine.password or ""}
        return subprocess.Popen(
            [
                str(mine.program),
                *options(server.configuration, mine.secrets, server.cluster),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # With a wrong pass phrase it may quote what it has deciphered, which is no text.
            errors="replace",
            cwd="/",
            env=environment,
            umask=0o077,
            user=mine.user,
            group=mine.group,
            extra_groups=[] if mine.user else None,
        )


def _failed(command: str, server: Backed, lines: Sequence[str]) -> BackupFailed:
    words = _words_of_errors(lines)
    kind = BackupUnderWay if any(one.startswith(_LOCKED) for one in words) else BackupFailed
    return kind(
        f"pgBackRest's {command} of {server.cluster} failed.",
        "\n".join(words),
        "Nothing that lives was touched. Mend the cause and run the command again.",
    )


def _words_of_errors(lines: Sequence[str]) -> list[str]:
    """From the first error on, without time and process; all that was said when none is found."""
    found: list[str] = []
    for line in lines:
        log = _LOG.match(line)
        if log and log[1] in ("ERROR", "ASSERT"):
            found.append(log[2])
        elif (found and not log) or (not log and line.startswith("ERROR")):
            found.append(line.strip())
    return (found or [line.strip() for line in lines[-_TOLD:]])[:_TOLD]
