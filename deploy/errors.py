"""What an operator can meet: what happened, what it means, what to do next, and the exit status."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of the `docshard` command; scripts rely on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    REFUSED = 5
    FINDINGS = 6


class OperatorError(Exception):
    """An expected failure, told in three sentences instead of a traceback.

    `happened` is the fact, `means` its consequence, `advice` the next step to take.
    """

    exit_status = Exit.FAILED

    def __init__(self, happened: str, means: str = "", advice: str = "") -> None:
        super().__init__(happened)
        self.happened = happened
        self.means = means
        self.advice = advice

    def __str__(self) -> str:
        return "\n".join(line for line in (self.happened, self.means, self.advice) if line)


class UsageFault(OperatorError):
    """The command or its environment says something that cannot be meant."""

    exit_status = Exit.USAGE


class NotFound(OperatorError):
    """What the operator named does not exist."""

    exit_status = Exit.NOT_FOUND


class NotAllowed(OperatorError):
    """The operator's account may not do this."""

    exit_status = Exit.NOT_ALLOWED


class Refused(OperatorError):
    """A precondition does not hold, so nothing was changed."""

    exit_status = Exit.REFUSED
