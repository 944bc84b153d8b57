"""What a service refuses to start with in production: said in words, before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from global_db.address import NodeAddress, SslMode, is_local

_SHORTEST_SECRET = 12
# Of what engines, their examples and people in a hurry make their first password.
_DEFAULTS = frozenset(
    (
        *("a", "access", "admin", "app", "backup", "be", "change", "changeit", "changeme", "db"),
        *("default", "docker", "docshard", "example", "here", "key", "me", "minio", "minioadmin"),
        *("mover", "my", "pass", "password", "placeholder", "please", "postgres", "replace"),
        *("replaceme", "role", "root", "s", "secret", "super", "test", "to", "todo", "user"),
        *("worker", "your"),
    )
)


@dataclass(frozen=True)
class Refusal:
    """One thing that must be otherwise: what it is, why it is refused, what to do."""

    what: str
    why: str
    advice: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}. {self.advice}."


class ProductionRefused(Exception):
    """DOCSHARD_ENV says production, and what else it says is for development."""

    happened = "DOCSHARD_ENV=production refuses these settings."

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("\n".join([self.happened, *map(str, refusals)]))
        self.refusals = tuple(refusals)


@dataclass(frozen=True)
class Claims:
    """What the settings say of what production looks at; `secrets` by variable."""

    secrets: Mapping[str, str]
    keys_in_a_file: bool
    nodes: Sequence[NodeAddress]
    sslmode: SslMode


def check(claims: Claims) -> None:
    """Let through what may serve.

    Raises:
        ProductionRefused: with everything that may not.
    """
    refusals = [*_guessed(claims), *_keys(claims), *_lines(claims)]
    if refusals:
        raise ProductionRefused(refusals)


def _guessed(claims: Claims) -> Iterator[Refusal]:
    for variable, secret in claims.secrets.items():
        if is_default(secret):
            yield Refusal(
                variable,
                f"a default of some engine or example, or shorter than {_SHORTEST_SECRET}"
                " characters: whoever tries such first gets in",
                "Make one by chance, for instance with `openssl rand -hex 24`, and give it to the"
                " role or identity",
            )


def is_default(secret: str) -> bool:
    """Whether nobody chose this secret: too short, or made of words that everybody tries."""
    words = re.findall("[a-z]+", secret.casefold())
    return len(secret) < _SHORTEST_SECRET or _DEFAULTS.issuperset(words)


def _keys(claims: Claims) -> Iterator[Refusal]:
    if claims.keys_in_a_file:
        yield Refusal(
            "DOCSHARD_KEY_FILE or DOCSHARD_KEY_PROVIDER=local-file",
            "a file beside the program opens every sealed field to whoever reads the disk or a"
            " backup of it",
            "Set DOCSHARD_KEY_PROVIDER to aws-kms or vault-transit, and unset DOCSHARD_KEY_FILE",
        )


def _lines(claims: Claims) -> Iterator[Refusal]:
    hosts = {
        host
        for node in claims.nodes
        for host in (node.host, node.pooler.host if node.pooler else node.host)
        if not is_local(host)
    }
    if hosts and claims.sslmode != "verify-full":
        yield Refusal(
            f"DOCSHARD_DATABASE_SSLMODE={claims.sslmode} towards {', '.join(sorted(hosts))}",
            "less than verify-full lets whoever sits on the line read tenants' documents, or play"
            " the server",
            "Give servers and poolers certificates with their names, name the authority in"
            " DOCSHARD_DATABASE_SSLROOTCERT, and set DOCSHARD_DATABASE_SSLMODE=verify-full",
        )
