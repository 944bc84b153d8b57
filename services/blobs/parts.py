"""Which parts a large upload comes in. Pure."""

from dataclasses import dataclass

MAX_PARTS = 10_000
_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `first` and following of an upload, `size` of them. Numbers begin with 1."""

    number: int
    first: int
    size: int


def plan_parts(size: int, part_bytes: int) -> tuple[Part, ...]:
    """Cut `size` bytes into parts of `part_bytes`, the last one what is left.

    Parts grow by whole MiB when there would be more than S3 takes.
    """
    least = -(-size // MAX_PARTS)
    each = part_bytes if least <= part_bytes else -(-least // _MIB) * _MIB
    starts = range(0, size, each)
    return tuple(
        Part(number, first, min(each, size - first)) for number, first in enumerate(starts, start=1)
    )
