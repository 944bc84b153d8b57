"""The rules inside the service against the small reference model, for grants of every kind."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from global_db.identities import Grant
from services.access.admission import admit_globally, admit_to_own, demand_status
from services.errors import ClientInactive, ClientSuspended, Forbidden, ServiceError
from services.identity.principal import Caller, Origin, Principal
from tests import access_model
from tests.access_model import ROLES, Reach, Rule, Target, refusal

CLIENTS = {name: UUID(int=number) for number, name in enumerate(("a", "b", "c"), start=1)}
PERMISSIONS = sorted(ROLES["admin"])

held = st.tuples(
    st.frozensets(st.sampled_from(PERMISSIONS), min_size=1, max_size=4)
    | st.sampled_from(list(ROLES.values())),
    st.sampled_from([None, *CLIENTS]),
)
grants = st.lists(held, max_size=5).map(tuple)
permissions = st.sampled_from(PERMISSIONS)
Held = tuple[tuple[frozenset[str], str | None], ...]


def principal(given_grants: Held) -> Principal:
    stored = tuple(
        Grant("any", None if where is None else CLIENTS[where], names)
        for names, where in given_grants
    )
    return Principal(UUID(int=9), None, stored)


def code_of(work: Callable[[], object]) -> str | None:
    try:
        work()
    except ServiceError as error:
        return error.code
    return None


@given(grants, permissions, st.sampled_from(sorted(CLIENTS)))
def test_what_a_principal_sees_and_may(given_grants: Held, permission: str, client: str) -> None:
    """I4."""
    found, model = principal(given_grants), access_model.Caller(given_grants)
    assert found.sees(CLIENTS[client]) == model.sees(client)
    assert found.may(permission, CLIENTS[client]) == model.holds(permission, client)
    assert found.may(permission, None) == model.holds(permission, None)


@given(grants, permissions)
def test_the_clients_of_a_list_are_those_where_the_permission_is_held(
    given_grants: Held, permission: str
) -> None:
    """I4."""
    found, model = principal(given_grants), access_model.Caller(given_grants)
    listed = found.clients(permission)
    if model.holds(permission, None):
        assert listed is None
    else:
        assert listed is not None
        wanted = {CLIENTS[one] for one in CLIENTS if model.holds(permission, one)}
        assert set(listed) == wanted


@given(grants, permissions)
def test_admission_to_the_service_and_to_ones_own(given_grants: Held, permission: str) -> None:
    caller = Caller(principal(given_grants), Origin())
    model = access_model.Caller(given_grants)
    for reach, admit in ((Reach.SERVICE, admit_globally), (Reach.OWN_CLIENTS, admit_to_own)):
        wanted = refusal(model, Rule(reach, permission), Target())
        assert code_of(partial(admit, caller, permission)) == wanted


@given(grants, permissions, st.sampled_from(sorted(CLIENTS)))
def test_more_grants_never_take_anything_away(
    given_grants: Held, permission: str, client: str
) -> None:
    for number in range(len(given_grants)):
        fewer, all_of_them = principal(given_grants[:number]), principal(given_grants)
        for place in (None, CLIENTS[client]):
            assert not fewer.may(permission, place) or all_of_them.may(permission, place)


@pytest.mark.parametrize(
    ("status", "reads", "error"),
    [
        ("active", False, None),
        ("inactive", True, None),
        ("inactive", False, ClientInactive),
        ("suspended", True, ClientSuspended),
        ("suspended", False, ClientSuspended),
    ],
)
def test_what_a_status_forbids(status: str, reads: bool, error: type[ServiceError] | None) -> None:
    found = code_of(lambda: demand_status(status, reads=reads))
    assert found == (None if error is None else error.code)


def test_nobody_may_do_anything_without_a_grant() -> None:
    nobody = Caller(principal(()), Origin())
    for permission in PERMISSIONS:
        for admit in (admit_globally, admit_to_own):
            with pytest.raises(Forbidden):
                admit(nobody, permission)
