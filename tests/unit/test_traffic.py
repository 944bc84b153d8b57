"""Counting who is served: cheap, bounded, and exact for those with most requests. Pure."""

from uuid import UUID

from shards.traffic import Traffic


def test_counts_begin_anew_when_they_are_taken() -> None:
    traffic = Traffic()
    for number in (1, 1, 2):
        traffic.note_read(UUID(int=number))
    traffic.note_write(UUID(int=2))
    taken = traffic.take()
    assert taken.reads == {UUID(int=1): 2, UUID(int=2): 1}
    assert (taken.writes, taken.folded) == ({UUID(int=2): 1}, 0)
    assert traffic.take().reads == {}


def test_of_too_many_tenants_the_busy_ones_stay() -> None:
    """I9: whatever comes, no more than the bound is kept, and every request is in some number."""
    traffic, requests = Traffic(most_tenants=100), 0
    for number in range(10_000):
        traffic.note_read(UUID(int=number))
        traffic.note_read(UUID(int=3))
        requests += 2
    taken = traffic.take()
    assert len(taken.reads) <= 100
    assert taken.reads[UUID(int=3)] == 10_001
    assert sum(taken.reads.values()) + taken.folded == requests
