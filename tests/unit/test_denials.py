"""Counting refusals: equal ones are one, and never more kinds than the bound."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.access.denials import Denial, Denials
from services.identity.principal import Caller, Origin, Principal

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def caller(number: int, key: bool = False) -> Caller:
    user_id = UUID(int=number + 1)
    return Caller(Principal(user_id, uuid4() if key else None, ()), Origin())


def denial(operation: str = "GET /v1/users") -> Denial:
    return Denial(operation, "user:read", "forbidden")


def test_equal_refusals_are_one_count() -> None:
    moments = iter(NOON + timedelta(seconds=n) for n in range(10))
    denials = Denials(10, lambda: next(moments))
    for _ in range(3):
        denials.note(caller(1), denial())
    denials.note(caller(2), denial())
    first, second = denials.take()
    assert (first.times, second.times) == (3, 1)
    assert (first.first_at, first.last_at) == (NOON, NOON + timedelta(seconds=2))
    assert denials.take() == []


def test_the_row_names_key_or_user() -> None:
    denials = Denials(10)
    denials.note(caller(1), denial())
    denials.note(caller(1, key=True), denial())
    events = [count.event() for count in denials.take()]
    assert [(one.action, one.entity_type) for one in events] == [
        ("auth.denied", "user"),
        ("auth.denied", "api_key"),
    ]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=200))
def test_memory_is_bounded_and_nothing_is_lost_silently(refused: list[tuple[int, int]]) -> None:
    """I9."""
    denials = Denials(7)
    for number, operation in refused:
        denials.note(caller(number), denial(str(operation)))
    uncounted = denials.uncounted
    counts = denials.take()
    assert len(counts) <= 7
    assert sum(count.times for count in counts) + uncounted == len(refused)
