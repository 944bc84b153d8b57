"""What a server has proven, and when it counts."""

from global_db.proofs import Demand, Proofs

ALICE, BOB = "alice", "bob"


def proven() -> Proofs:
    proofs = Proofs()
    proofs.reached(life=7, timeline=1, lsn=50)
    proofs.entered(7, Demand(1, 100), ALICE)
    return proofs


def test_what_was_entered_holds_for_all_that_was_reached() -> None:
    proofs = proven()
    assert proofs.life_of(Demand(1, 100), ALICE) == 7
    assert proofs.life_of(Demand(1, 101), ALICE) is None
    proofs.reached(7, 1, 300)
    proofs.reached(7, 1, 200)  # an answer that was overtaken
    assert proofs.life_of(Demand(1, 300), ALICE) == 7


def test_who_never_entered_has_to() -> None:
    assert proven().life_of(Demand(1, 1), BOB) is None


def test_another_timeline_proves_its_own_places() -> None:
    proofs = proven()
    proofs.reached(7, 2, 80)
    assert proofs.life_of(Demand(1, 100), ALICE) is None
    assert proofs.life_of(Demand(2, 100), ALICE) is None
    assert proofs.life_of(Demand(2, 80), ALICE) == 7
    proofs.reached(7, None, 500)
    assert proofs.life_of(Demand(2, 80), ALICE) is None


def test_another_life_has_proven_nothing_yet() -> None:
    proofs = proven()
    proofs.reached(8, 1, 500)
    assert proofs.life_of(Demand(1, 100), ALICE) is None
    proofs.entered(8, Demand(1, 100), ALICE)
    assert proofs.life_of(Demand(1, 100), ALICE) == 8
    # It may be farther back than the one before it.
    proofs.reached(9, 1, 20)
    proofs.entered(9, Demand(1, 20), ALICE)
    assert proofs.life_of(Demand(1, 21), ALICE) is None


def test_memory_is_bounded_and_keeps_who_was_asked_for_last() -> None:
    proofs = proven()
    for number in range(9_999):
        proofs.entered(7, Demand(1, 100), number)
    assert proofs.life_of(Demand(1, 100), ALICE) == 7
    proofs.entered(7, Demand(1, 100), BOB)
    assert proofs.life_of(Demand(1, 100), ALICE) == 7
    assert proofs.life_of(Demand(1, 100), 0) is None
