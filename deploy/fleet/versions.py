"""What is known about versions of PgBouncer: keys that came with one, holes that one closed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

Version = tuple[int, ...]

OLDEST: Version = (1, 18)
NEWEST: Version = (1, 26)

# Keys that our template may write and that the oldest version does not know; it would not start.
SINCE: Mapping[str, Version] = {
    "peer_id": (1, 19),
    "max_prepared_statements": (1, 21),
}


@dataclass(frozen=True)
class Hole:
    """A known vulnerability: versions from `since` on have it, `closed` is the first without.

    `meant` says what it lets somebody do, in the configuration that is rendered here or near it.
    Source: the changelog of PgBouncer.
    """

    cve: str
    since: Version
    closed: Version
    meant: str


HOLES = (
    Hole(
        "CVE-2025-2291",
        (1, 6),
        (1, 24, 1),
        "its default auth_query lets expired passwords in; what is rendered here asks better",
    ),
    Hole(
        "CVE-2025-12819",
        (1, 20),
        (1, 25, 1),
        "a client's search_path may reach auth_query; what is rendered here tracks none",
    ),
    Hole("CVE-2026-6664", (1, 11), (1, 25, 2), "anybody who reaches the port can crash it"),
    Hole("CVE-2026-6666", (1, 0), (1, 25, 2), "a server that answers wrongly can crash it"),
    Hole(
        "CVE-2026-107350",
        (1, 17),
        (1, 26, 1),
        "who knows one password of auth_file can log in as any other user",
    ),
    Hole(
        "CVE-2026-107349",
        (1, 20),
        (1, 26, 1),
        "anybody who reaches the port could make it spin; what is rendered here closes that",
    ),
)


def known_holes(version: Version) -> list[Hole]:
    """Those that this version has. A version without its third number is taken for its first."""
    return [hole for hole in HOLES if hole.since <= version < hole.closed]


def parse_version(text: str) -> Version:
    """(1, 18, 0) out of what `pgbouncer --version` prints; two numbers when there are but two.

    Raises:
        ValueError: the text names no version.
    """
    found = re.search(r"PgBouncer (\d+(?:\.\d+)+)", text)
    if not found:
        raise ValueError(f"not a PgBouncer version: {text!r}")
    return _numbers(found[1])


def parse_short(text: str) -> Version:
    """(1, 24) out of 1.24.

    Raises:
        ValueError: not two or three numbers.
    """
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", text):
        raise ValueError(f"{text!r} is not a version like 1.24")
    return _numbers(text)


def shown(version: Version) -> str:
    """1.24 of (1, 24)."""
    return ".".join(map(str, version))


def _numbers(text: str) -> Version:
    return tuple(int(number) for number in text.split("."))
