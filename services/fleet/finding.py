"""What an examination finds, and what an operator's change asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look after: where, what, and what to do."""

    subject: str
    what: str
    advice: str
