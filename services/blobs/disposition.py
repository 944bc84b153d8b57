"""The Content-Disposition of a download: whatever a document is called, its header is harmless.

RFC 6266 with RFC 5987's encoding: a plain ASCII name for old programs, and the real one beside it.
"""

import unicodedata
from urllib.parse import quote

_MAX_CHARACTERS = 150
# RFC 5987's attr-char beyond letters and digits.
_UNRESERVED = "!#$&+-.^_`|~"
_UNNAMED = "download"


def attachment(filename: str) -> str:
    """Give the header's value, in printable ASCII. Folders in the name are dropped."""
    name = _safe_name(filename)
    plain = "".join(
        character if 32 <= ord(character) < 127 and character not in '"\\%' else "_"
        for character in name
    )
    encoded = quote(name, safe=_UNRESERVED, errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def _safe_name(filename: str) -> str:
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    # Control and invisible characters have no place in a name; the latter can turn "gpj.exe" over.
    visible = "".join(c for c in last if not unicodedata.category(c).startswith("C"))
    stem, dot, suffix = visible.strip(" .").rpartition(".")
    if dot and len(suffix) <= 20:
        return stem[: _MAX_CHARACTERS - len(suffix)] + dot + suffix
    return visible.strip(" .")[:_MAX_CHARACTERS] or _UNNAMED
