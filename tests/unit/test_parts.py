"""How large uploads are cut."""

from hypothesis import given
from hypothesis import strategies as st

from services.blobs.parts import MAX_PARTS, plan_parts

MIB = 1024**2


@given(size=st.integers(1, 5 * 1024**4), part_mib=st.integers(5, 512))
def test_parts_cover_the_whole_and_s3_takes_them(size: int, part_mib: int) -> None:
    size, part_bytes = min(size, part_mib * MIB * 9_000), part_mib * MIB
    parts = plan_parts(size, part_bytes)
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert [part.first for part in parts] == [n * part_bytes for n in range(len(parts))]
    assert sum(part.size for part in parts) == size
    assert all(part.size == part_bytes for part in parts[:-1])


def test_parts_grow_when_there_would_be_too_many() -> None:
    parts = plan_parts(MAX_PARTS * 5 * MIB + 1, 5 * MIB)
    assert len(parts) <= MAX_PARTS
    assert parts[0].size == 6 * MIB
    assert sum(part.size for part in parts) == MAX_PARTS * 5 * MIB + 1


def test_nothing_has_no_parts() -> None:
    assert plan_parts(0, 5 * MIB) == ()
