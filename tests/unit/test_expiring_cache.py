"""The bounded memory: bounded, and honest about time."""

from services.expiring_cache import ExpiringCache


def test_entries_expire() -> None:
    now = 0.0
    cache: ExpiringCache[str, int] = ExpiringCache(10, lambda: now)
    cache.put("a", 1, expires_at=5)
    now = 4.9
    assert cache.get("a") == 1
    now = 5
    assert cache.get("a") is None
    assert len(cache) == 0


def test_the_entry_used_longest_ago_makes_room() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(2, lambda: 0)
    cache.put("a", 1, 9)
    cache.put("b", 2, 9)
    cache.get("a")
    cache.put("c", 3, 9)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_a_dropped_entry_is_gone() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(2, lambda: 0)
    cache.put("a", 1, 9)
    cache.drop("a")
    cache.drop("never there")
    assert cache.get("a") is None
