"""The ring: the mapping is pinned for ever, moves as little as possible, and is even."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from hashring import HashRing
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.ring import MAX_WEIGHT, MEMBERS_PER_WEIGHT, Ring, member_count

VECTORS: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("ring_vectors.json").read_text()
)
ROOT = Path(__file__).parents[2]

names = st.from_regex(r"shard-[1-9][0-9]?", fullmatch=True)
weights = st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0])
shard_sets = st.dictionaries(names, weights, min_size=1, max_size=5)


def equal(count: int) -> dict[str, float]:
    return {f"shard-{n}": 1.0 for n in range(1, count + 1)}


def sample(size: int) -> list[UUID]:
    """The same ids on every run: balance is a fact about a mapping, not luck."""
    digests = (hashlib.sha256(b"sample-%d" % n).digest() for n in range(size))
    return [UUID(bytes=digest[:16], version=4) for digest in digests]


SAMPLE = sample(500)


def test_golden_vectors_never_change() -> None:
    assert len(VECTORS) >= 20
    for shards in (2, 3, 8):
        ring = Ring(equal(shards))
        seen = {client: ring.home(UUID(client)) for client in VECTORS}
        assert seen == {client: homes[str(shards)] for client, homes in VECTORS.items()}


@settings(max_examples=30, deadline=None)
@given(shard_sets)
def test_the_ring_is_the_library_s_and_many_look_ups_are_as_each(shards: dict[str, float]) -> None:
    ring = Ring(shards)
    members = [f"{name}/{i}" for name, count in ring.members.items() for i in range(count)]
    library = HashRing(members)
    homes = [library.get_node(str(client)).rpartition("/")[0] for client in SAMPLE]
    assert [ring.home(client) for client in SAMPLE] == homes
    numbers = ring.homes(b"".join(client.bytes for client in SAMPLE))
    assert [ring.names[number] for number in numbers] == homes


@settings(max_examples=30, deadline=None)
@given(shard_sets, names, weights)
def test_a_new_shard_only_takes(before: dict[str, float], name: str, weight: float) -> None:
    old, new = Ring(before), Ring({name: weight, **before})
    moved = {new.home(c) for c in SAMPLE if old.home(c) != new.home(c)}
    assert moved <= ({name} - before.keys())


@settings(max_examples=30, deadline=None)
@given(shard_sets.filter(lambda shards: len(shards) > 1), st.data())
def test_a_removed_shard_only_gives(before: dict[str, float], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(before)))
    old, new = Ring(before), Ring({n: w for n, w in before.items() if n != gone})
    assert {old.home(c) for c in SAMPLE if old.home(c) != new.home(c)} <= {gone}


@settings(max_examples=30, deadline=None)
@given(shard_sets, st.data())
def test_a_heavier_shard_only_takes(before: dict[str, float], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(before)))
    old, new = Ring(before), Ring({**before, name: before[name] * 2})
    assert {new.home(c) for c in SAMPLE if old.home(c) != new.home(c)} <= {name}


@given(shard_sets.flatmap(lambda shards: st.permutations(sorted(shards.items()))))
@settings(max_examples=30, deadline=None)
def test_the_order_of_shards_does_not_matter(items: list[tuple[str, float]]) -> None:
    shuffled, ordered = Ring(dict(items)), Ring(dict(sorted(items)))
    assert [shuffled.home(c) for c in SAMPLE] == [ordered.home(c) for c in SAMPLE]


def test_eight_shards_are_even_within_five_percent() -> None:
    """Measure: each shard's clients against the mean, over 50,000 fixed ids."""
    counts = Ring(equal(8)).counts(sample(50_000))
    mean = 50_000 / 8
    assert max(abs(count / mean - 1) for count in counts.values()) < 0.05


def test_the_exact_shares_of_eight_shards_are_within_five_percent() -> None:
    shares = Ring(equal(8)).shares()
    assert sum(shares.values()) == pytest.approx(1)
    assert max(abs(share * 8 - 1) for share in shares.values()) < 0.05


def test_a_ninth_shard_takes_about_a_ninth() -> None:
    ids = sample(20_000)
    old, new = Ring(equal(8)), Ring(equal(9))
    moved = sum(old.home(c) != new.home(c) for c in ids) / len(ids)
    assert moved == pytest.approx(1 / 9, rel=0.1)


def test_a_shard_of_weight_two_gets_about_twice() -> None:
    counts = Ring({"shard-1": 1, "shard-2": 2, "shard-3": 1}).counts(sample(20_000))
    for light in ("shard-1", "shard-3"):
        assert counts["shard-2"] / counts[light] == pytest.approx(2, rel=0.1)


def test_the_hash_seed_of_the_process_does_not_matter() -> None:
    program = (
        "from uuid import UUID; from shards.ring import Ring;"
        "ring = Ring({f'shard-{n}': 1 for n in {1, 2, 3, 4, 5}});"
        "print([ring.home(UUID(int=n << 64)) for n in range(200)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "4242")
    }
    assert len(outputs) == 1


def test_members_follow_the_weight() -> None:
    ring = Ring({"shard-1": 1, "shard-2": 2.5, "shard-3": 0.001})
    assert ring.members == {"shard-1": MEMBERS_PER_WEIGHT, "shard-2": 40, "shard-3": 1}


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), MAX_WEIGHT + 1])
def test_a_senseless_weight_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        member_count(weight)


def test_a_ring_without_shards_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one shard"):
        Ring({})
