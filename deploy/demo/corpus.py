"""The corpus: real files of this machine, chosen for variety and always the same way.

What every installation has is the interpreter's own library and site-packages: sources,
licences, documentation, a few images. A machine with more (`/usr/share/doc`) gives more.
"""

import os
import sysconfig
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from mimetypes import MimeTypes
from operator import attrgetter
from pathlib import Path

LARGEST = 2 * 2**20
"""Bytes; larger files would make a slow demo and show nothing more."""

MOST_VISITED = 40_000
"""Files looked at below one root: a bound for machines with everything installed."""

_SYSTEM_ROOTS = ("/usr/share/common-licenses", "/usr/share/doc", "/usr/share/pixmaps")
_DULL_FOLDERS = frozenset({"__pycache__", "node_modules", ".git", "tests", "test"})
_LICENCES = ("license", "licence", "copying", "copyright", "notice", "authors", "readme")

# Only the library's own tables: /etc/mime.types differs between machines.
_TYPES = MimeTypes(filenames=())
for _suffix, _mime in {
    ".md": "text/markdown",
    ".rst": "text/x-rst",
    ".py": "text/x-python",
    ".pyi": "text/x-python",
    ".pyx": "text/x-cython",
    ".sql": "application/sql",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".gz": "application/gzip",
    ".zip": "application/zip",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
    ".c": "text/x-c",
    ".h": "text/x-c",
    ".js": "text/javascript",
}.items():
    _TYPES.add_type(_mime, _suffix)
_NOT_DOCUMENTS = frozenset({"application/octet-stream", "application/x-python-code"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that can become a document."""

    root: Path
    relative: str
    """Below the root; the part that is the same on machines that are set up alike."""
    mime_type: str
    size: int

    @property
    def name(self) -> str:
        """What a person would call it: the last part of its path."""
        return Path(self.relative).name

    @property
    def source(self) -> str:
        """Where it comes from: the package or folder right below the root."""
        return Path(self.relative).parts[0]

    @property
    def rank(self) -> int:
        """A number that shuffles files, the same on every machine and in every process."""
        return int.from_bytes(sha256(self.relative.encode()).digest()[:8])

    def read(self) -> bytes:
        """The content. Raises OSError when it has gone since it was found."""
        return (self.root / self.relative).read_bytes()


def find_corpus(wanted: int) -> list[SourceFile]:
    """At most this many files of this machine, of as many MIME types as it has."""
    found = (file for root in roots() for file in islice(walk(root), MOST_VISITED))
    return choose(found, wanted)


def roots() -> list[Path]:
    """The folders to look in, none of them inside another, those that exist."""
    installed = sysconfig.get_paths()
    python = [Path(installed[key]) for key in ("purelib", "platlib", "stdlib")]
    candidates = [*python, *map(Path, _SYSTEM_ROOTS)]
    return list(dict.fromkeys(path.resolve() for path in candidates if path.is_dir()))


def walk(root: Path) -> Iterator[SourceFile]:
    """Every usable file below a root in the order of the names; links are not followed."""
    for folder, below, names in os.walk(root):
        # os.walk descends into what is left here, in this order. Site-packages is its own root.
        below[:] = sorted(set(below) - _DULL_FOLDERS - {"site-packages", "dist-packages"})
        for name in sorted(names):
            file = _usable(root, Path(folder, name))
            if file is not None:
                yield file


def choose(files: Iterable[SourceFile], wanted: int) -> list[SourceFile]:
    """Choose for variety: MIME types take turns, and in each type the sources take turns.

    So rare types are all in, and no package with a thousand files of one kind is a crowd.
    """
    distinct = {file.relative: file for file in files}.values()
    by_type = _grouped(distinct, lambda file: file.mime_type)
    piles = [list(_by_source(by_type[mime])) for mime in sorted(by_type)]
    return list(islice(_taking_turns(piles), wanted))


def mime_type_of(name: str) -> str | None:
    """The MIME type of a file of this name; None for what is no document."""
    mime, encoding = _TYPES.guess_type(name)
    if encoding is not None:
        return f"application/{encoding}"
    if mime is None and name.lower().startswith(_LICENCES):
        return "text/plain"
    return None if mime in _NOT_DOCUMENTS else mime


def _by_source(files: Iterable[SourceFile]) -> Iterator[SourceFile]:
    sources = _grouped(files, lambda file: file.source).values()
    piles = [sorted(pile, key=attrgetter("rank")) for pile in sources]
    return _taking_turns(sorted(piles, key=lambda pile: pile[0].rank))


def _grouped(
    files: Iterable[SourceFile], of: Callable[[SourceFile], str]
) -> dict[str, list[SourceFile]]:
    groups: defaultdict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        groups[of(file)].append(file)
    return groups


def _taking_turns(piles: Sequence[Sequence[SourceFile]]) -> Iterator[SourceFile]:
    for turn in range(max(map(len, piles), default=0)):
        yield from (pile[turn] for pile in piles if turn < len(pile))


def _usable(root: Path, path: Path) -> SourceFile | None:
    mime = mime_type_of(path.name)
    relative = str(path.relative_to(root))
    if mime is None or not relative.isprintable():  # surrogates are names no database takes
        return None
    try:
        size = path.lstat().st_size
    except OSError:
        return None
    readable = path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
    return SourceFile(root, relative, mime, size) if readable and 0 < size <= LARGEST else None
