"""Bodies: what is stored is what was sent, to the byte; and patches."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.writes import MAX_BODY_BYTES
from streams.collections import bodies
from streams.collections.effort import Effort
from streams.collections.rejected import Rejected

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("aé😀")
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner)
)


def patched(value: Any, *operations: dict[str, Any]) -> Any:
    """Apply a JSON Patch."""
    return bodies.patched(value, operations, Effort())


@given(st.dictionaries(st.text("ab"), VALUES, max_size=3))
def test_a_body_comes_back_as_it_was_sent(value: dict[str, Any]) -> None:
    """All values are kept, and what is stored once is stored again without a change."""
    try:
        body = bodies.of(value)
    except Rejected:
        return
    assert body.value == value or "e+" in repr(value)
    assert bodies.of(json.loads(body.text)).text == body.text
    assert bodies.same(body.text, body)
    assert body.values >= json.dumps(body.value).count(":") // 2


@pytest.mark.parametrize(
    ("value", "text", "size"),
    [
        ({"a": 10**40}, '{"a":' + "1" + "0" * 40 + "}", 47),
        ({"a": 1e300}, '{"a":1' + "0" * 300 + "}", 307),
        ({"a": 1e-7}, '{"a":1e-07}', 15),
        ({"a": -0.0}, '{"a":0.0}', 9),
        ({"é": "😀"}, '{"é":"😀"}', 13),
        ({"a": "1e+5"}, '{"a":"1e+5"}', 12),
    ],
)
def test_numbers_are_as_postgres_prints_them(value: dict[str, Any], text: str, size: int) -> None:
    """The size is that of the JSON that is answered, whatever form a number was sent in."""
    body = bodies.of(value)
    assert (body.text, body.size_bytes) == (text, size)


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"a": ["x", "\x00"]}, "/body/a/1"),
        ({"a": "\ud800"}, "/body/a"),
        ({"a": {"b\x00": 1}}, "/body/a"),
        ({"a": float("inf")}, "/body/a"),
        ({"a": 10**1000}, "/body/a"),
    ],
)
def test_what_cannot_be_stored_is_named(value: dict[str, Any], pointer: str) -> None:
    """The answer says where it stands."""
    with pytest.raises(Rejected) as caught:
        bodies.of(value)
    assert (caught.value.code, caught.value.status) == ("invalid_body", 422)
    assert [error.pointer for error in caught.value.errors] == [pointer]


def nested(levels: int) -> dict[str, Any]:
    """Objects in objects."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def test_depth_and_size_have_limits() -> None:
    """64 levels and 256 KiB are taken, and not one more."""
    assert bodies.of(nested(64)).size_bytes == 63 * 6 + 2
    with pytest.raises(Rejected, match="deeper than 64"):
        bodies.of(nested(65))
    room = MAX_BODY_BYTES - len('{"a":""}')
    assert bodies.of({"a": "x" * room}).size_bytes == MAX_BODY_BYTES
    with pytest.raises(Rejected, match="at most 262,144"):
        bodies.of({"a": "x" * (room + 1)})
    with pytest.raises(Rejected, match="at most 262,144"):
        bodies.of({"a": [1e300] * 1000})


@pytest.mark.parametrize(("one", "other"), [({"a": 1}, {"a": True}), ({"a": 1}, {"a": 1.0})])
def test_what_looks_alike_to_python_is_told_apart(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """1, 1.0 and true are three values of JSON."""
    assert not bodies.same(json.dumps(one), bodies.of(other))
    assert bodies.same('{"b": 1, "a": {}}', bodies.of({"a": {}, "b": 1}))


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_merge_patch_follows_its_standard(target: Any, patch: Any, result: Any) -> None:
    """The examples of RFC 7396, appendix A, whose documents are objects."""
    before = json.dumps(target)
    assert bodies.merged(target, patch) == result
    assert json.dumps(target) == before


def test_json_patch_does_its_operations_in_order() -> None:
    """The six operations of RFC 6902."""
    done = patched(
        {"a": [1, 2], "b": {"c": 1}},
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "remove", "path": "/b/c"},
        {"op": "replace", "path": "/a/0", "value": 0},
        {"op": "copy", "from": "/a", "path": "/d"},
        {"op": "move", "from": "/b", "path": "/e"},
    )
    assert done == {"a": [0, 2, 3], "d": [0, 2, 3], "e": {}}


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        ({"op": "test", "path": "/a", "value": True}, 409, "patch_test_failed"),
        ({"op": "test", "path": "/zz", "value": 1}, 409, "patch_test_failed"),
        ({"op": "remove", "path": "/zz"}, 422, "invalid_patch"),
        ({"op": "remove", "path": ""}, 422, "invalid_patch"),
        ({"op": "add", "path": "a", "value": 1}, 422, "invalid_patch"),
        ({"op": "add", "path": "/l/x", "value": 1}, 422, "invalid_patch"),
        ({"op": "add", "path": "/l/9", "value": 1}, 422, "invalid_patch"),
        ({"op": "add", "path": "/a/b/c", "value": 1}, 422, "invalid_patch"),
        ({"op": "add", "path": "/x"}, 422, "invalid_patch"),
        ({"op": "add", "path": 3, "value": 1}, 422, "invalid_patch"),
        ({"op": "replace", "path": "", "value": [1]}, 422, "invalid_patch"),
        ({"op": "move", "from": "/o", "path": "/o/p"}, 422, "invalid_patch"),
        ({"op": "copy", "path": "/x"}, 422, "invalid_patch"),
        ({"op": "copy", "from": {}, "path": "/x"}, 422, "invalid_patch"),
        ({"op": "unknown", "path": "/x"}, 422, "invalid_patch"),
        ({"op": ["add"], "path": "/x"}, 422, "invalid_patch"),
        ({}, 422, "invalid_patch"),
    ],
)
def test_json_patch_that_cannot_be_done(operation: dict[str, Any], status: int, code: str) -> None:
    """Whatever is wrong with an operation, the answer is a no and not a bug."""
    with pytest.raises(Rejected) as caught:
        patched({"a": 1, "l": [1], "o": {}}, operation)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_a_patch_that_doubles_and_doubles_ends() -> None:
    """Twenty copies would make a gigabyte of a kilobyte; they end at what a patch may write."""
    grow = [{"op": "copy", "from": "", "path": f"/{number}"} for number in range(20)]
    with pytest.raises(Rejected) as caught:
        patched({"a": "x" * 1000}, *grow)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "last",
    [
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "test", "path": "/a", "value": 1},
        {"op": "move", "from": "/a", "path": "/b"},
    ],
)
def test_a_patch_that_nests_and_nests_is_answered(last: dict[str, Any]) -> None:
    """Each operation nests a few levels, all of them more than Python follows: a no, not a bug."""
    value: dict[str, Any] = {}
    for _ in range(60):
        value = {"a": value}
    nest = [{"op": "add", "path": "/a" * (61 * at + 1), "value": value} for at in range(30)]
    with pytest.raises(Rejected) as caught:
        bodies.of(patched({}, *nest, last))
    assert caught.value.status in {409, 422}


def test_the_effort_of_a_request_has_an_end() -> None:
    """What is small may be done often, what is large a few times."""
    effort = Effort(1000)
    add = {"op": "add", "path": "/a", "value": [1] * 100}
    bodies.patched({}, [add] * 6, effort)
    with pytest.raises(Rejected, match="steps of checking"):
        bodies.patched({}, [add], effort)
