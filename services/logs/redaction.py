"""Secrets are taken out of every line, whoever wrote it there.

Two nets. The process knows its own secrets by heart: passwords and keys of its settings. Those of
others it knows by their looks: our keys and tokens by their prefixes, signed tokens, passwords in
connection strings and addresses, signatures of presigned addresses, private keys. The nets are the
last resort: nothing is meant to write a secret in the first place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

REDACTED: Final = "[redacted]"
SHORTEST: Final = 6
"""A known secret that is shorter would be found in ordinary words."""

# What was repeated is not given back (`*+`), and a word is looked at from its beginning alone: from
# each of its places, a long one would keep the process from its requests for minutes (I9).
_WORD = r"[\w.-]"
_TELLING = (
    r"(?:pass(?:word|wd|phrase|file)?|secret|token|api[_-]?key|access[_-]?key|credential"
    r"|signature|totp|recovery[_-]?code|authorization)"
)
_NAME = rf"(?<!{_WORD})(?={_WORD}*{_TELLING}){_WORD}++"
# What is named like a secret, up to the end of its value; what stands before the value is kept.
_NAMED = rf"""(?P<name>{_NAME}["']?\s*+(?:=|:)\s*(?:b?["'])?)(?P<value>[^\s"',;&}})\]]++)"""
_SAFE = "[A-Za-z0-9_-]"
_LOOKS = (
    rf"\bds[krl]_{_SAFE}{{20,}}+",
    rf"(?<!{_SAFE})(?={_SAFE}*\beyJ{_SAFE}{{8}}){_SAFE}++\.{_SAFE}++\.{_SAFE}++",
    r"(?i:\b(?:bearer|basic)\s++)[A-Za-z0-9._~+/=-]{8,}+",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\$argon2[a-z]*+\$[^\s\"']++",
    rf"\bhv[sbr]\.{_SAFE}{{20,}}+",
)
_SCHEME = r"(?<![a-z0-9+.-])[a-z0-9+.-]++://"
_ADDRESS = rf"(?P<scheme>{_SCHEME}[^\s:/@\"']*+):(?P<password>[^\s/@\"']++)@"
_LOOKING: Final = re.compile("|".join(_LOOKS), re.DOTALL)
_IN_ADDRESS: Final = re.compile(_ADDRESS, re.IGNORECASE)
_NAMING: Final = re.compile(_NAMED, re.IGNORECASE)


class Redactor:
    """Takes secrets out of texts: `known` ones, and whatever looks like one."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        forms = {form for one in known if len(one) >= SHORTEST for form in _forms(one)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def clean(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        text = _LOOKING.sub(REDACTED, text)
        text = _IN_ADDRESS.sub(rf"\g<scheme>:{REDACTED}@", text)
        return _NAMING.sub(rf"\g<name>{REDACTED}", text)


def _forms(secret: str) -> set[str]:
    """As it stands, as in an address, and as Python and JSON write it between quotes."""
    return {secret, quote(secret, safe=""), repr(secret)[1:-1], secret.replace('"', '\\"')}
