"""Token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from router.limits import BURST_SECONDS, Limiter, refuse


def test_a_burst_then_the_rate() -> None:
    limiter = Limiter("principal", 10, 100)
    shares = [limiter.take("a", now=0) for _ in range(21)]
    assert [share.remaining for share in shares] == [*range(19, -1, -1), -1]
    assert limiter.take("a", now=0.1).remaining == 0
    assert limiter.take("a", now=0.1).remaining == -1
    assert limiter.take("b", now=0.1).remaining == 19


def test_headers() -> None:
    share = Limiter("client", 10, 100).take("a", now=0)
    assert share.headers() == [
        (b"ratelimit-policy", b'"client";q=20;w=2'),
        (b"ratelimit", b'"client";r=19;t=1'),
    ]


def test_the_longest_unseen_is_forgotten() -> None:
    limiter = Limiter("principal", 1, 2)
    for key in ("a", "a", "b", "c"):
        limiter.take(key, now=0)
    assert limiter.take("a", now=0).remaining == 1, "a was forgotten and starts afresh"


@given(st.lists(st.floats(0, 1), max_size=200), st.integers(1, 50))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float], rate: int) -> None:
    limiter, now, allowed = Limiter("principal", rate, 10), 0.0, 0
    for pause in pauses:
        now += pause
        allowed += limiter.take("a", now).remaining >= 0
    assert allowed <= rate * BURST_SECONDS + rate * now + 1e-6


@given(st.integers(1, 50), st.lists(st.floats(0, 0.005), min_size=150, max_size=150))
def test_who_waits_as_the_refusal_says_is_served(rate: int, pauses: list[float]) -> None:
    limiter, now = Limiter("principal", rate, 10), 0.0
    share = limiter.take("a", now)
    for pause in pauses:
        if share.remaining < 0:
            break
        now += pause
        share = limiter.take("a", now)
    assert share.remaining < 0
    assert limiter.take("a", now + refuse(share).retry_after_seconds).remaining >= 0


def test_a_client_may_have_a_rate_of_its_own() -> None:
    limiter = Limiter("client", 100, 100, workers=2)
    shares = [limiter.take("a", now=0, own=4) for _ in range(5)]
    assert [share.remaining for share in shares] == [3, 2, 1, 0, -1]
    assert shares[0].headers()[0] == (b"ratelimit-policy", b'"client";q=4;w=2')
    assert limiter.take("a", now=0.5, own=4).remaining == 0
    assert limiter.take("b", now=0).remaining == 99


def test_a_rate_below_one_a_second_admits_one() -> None:
    limiter = Limiter("client", 100, 100, workers=2)
    assert limiter.take("a", now=0, own=0.2).remaining == 0
    refused = limiter.take("a", now=5, own=0.2)
    assert refused.remaining == -1
    assert refuse(refused).retry_after_seconds == 10
    assert limiter.take("a", now=10, own=0.2).remaining == 0
