"""The checker of histories finds what it is for, and nothing else."""

from tests.faults.history import Append, History, Look, Outcome, faults

DONE, REFUSED, UNKNOWN = Outcome.DONE, Outcome.REFUSED, Outcome.UNKNOWN


def append(operation: str, begun: float, outcome: Outcome = DONE, key: str = "k") -> Append:
    return Append(key, operation, begun, begun + 1, outcome)


def look(*seen: str, token: Append | None = None, key: str = "k") -> Look:
    return Look(key, seen, 10, 11, "replica", token)


A, B, C = append("a", 0), append("b", 2), append("c", 2.5)
ALL = {"k": ("a", "b", "c"), "other": ()}


def found(*looks: Look, appends: tuple[Append, ...] = (A, B, C)) -> list[str]:
    return [one.partition(":")[0] for one in faults(History(list(appends), list(looks)), ALL)]


def test_what_was_seen_in_time_is_no_fault() -> None:
    assert found(look(), look("a"), look("a", "b", token=B), look("a", "b", "c", token=C)) == []


def test_a_write_that_overlapped_the_tokens_need_not_be_seen() -> None:
    assert found(look("a", "b", token=B)) == []


def test_a_look_without_its_own_write_is_stale() -> None:
    assert found(look("a", token=B)) == ["stale"]


def test_a_look_without_what_came_before_the_tokens_write_is_stale() -> None:
    elsewhere = append("z", 5, key="other")
    lists = {**ALL, "other": ("z",)}
    history = History([A, B, C, elsewhere], [look("a", token=elsewhere)])
    assert [one[:6] for one in faults(history, lists)] == ["stale:", "stale:"]


def test_an_acknowledged_append_that_is_gone_is_lost() -> None:
    assert found(appends=(A, append("x", 0))) == ["lost"]
    assert found(appends=(A, append("x", 0, UNKNOWN), append("y", 0, REFUSED))) == []


def test_a_refused_append_that_is_there_is_a_fault_and_an_unknown_one_is_none() -> None:
    assert found(appends=(append("a", 0, REFUSED),)) == ["refused"]
    assert found(appends=(append("a", 0, UNKNOWN),)) == []


def test_an_append_that_is_there_twice_is_doubled() -> None:
    history = History([A], [])
    assert [one[:7] for one in faults(history, {"k": ("a", "a")})] == ["doubled"]


def test_what_no_list_ever_was_is_diverged() -> None:
    assert found(look("b")) == ["diverged"]
    assert found(look("a", "b", "c", "d")) == ["diverged"]
