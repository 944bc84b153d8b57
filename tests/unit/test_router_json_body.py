"""JSON is read exactly or refused."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import json_body
from services.errors import InvalidJson, InvalidRequest

STORABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner
        )
    ),
    max_leaves=10,
)


@given(STORABLE)
def test_what_can_be_kept_is_read_as_it_is(value: object) -> None:
    assert json_body.parse(json.dumps(value).encode()) == value


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidJson, InvalidRequest):
        json_body.parse(body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"NaN", b"[Infinity]", b"-Infinity", b"\xff", b"\xef\xbb\xbf{}"),
        *(b"1" * 5000, b'"\x00"', "{}".encode("utf-16"), b"{'a':1}", b"[1,]", b"[" * 100_000),
    ],
)
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        json_body.parse(body)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (r'{"a": "x\u0000y"}', "/a"),
        (r'{"a": ["\ud800"]}', "/a/0"),
        (r'{"a\u0000": 1}', r"/a\u0000"),
        ('{"a/b": {"c~d": 9223372036854775808}}', "/a~1b/c~0d"),
        ('{"a": 1e400}', "/a"),
        ("[" * 40 + "]" * 40, "/0" * 32),
    ],
)
def test_what_cannot_be_kept_is_named(body: str, pointer: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        json_body.parse(body.encode())
    assert [one.pointer for one in caught.value.errors] == [pointer]


def test_duplicate_names_are_fine() -> None:
    assert json_body.parse(b'{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", "application/x+json"]
)
def test_json_media_types(media_type: str) -> None:
    assert json_body.is_json(media_type)


@pytest.mark.parametrize("media_type", ["", "text/json", "application/jsonp", "application/xml"])
def test_other_media_types(media_type: str) -> None:
    assert not json_body.is_json(media_type)


@pytest.mark.parametrize("wrap", ["%s", '{"operations": [%s]}'])
def test_a_crowd_of_members_is_refused_as_one(wrap: str) -> None:
    """Judged one by one, fifty thousand unknown fields took the worker half a second (I9)."""
    crowd = "{" + ", ".join(f'"k{number}": 1' for number in range(1001)) + "}"
    with pytest.raises(InvalidRequest) as refused:
        json_body.parse((wrap % crowd).encode())
    assert "more than 1000 members" in refused.value.detail
    json_body.parse(b'{"metadata": %s}' % crowd.encode())
