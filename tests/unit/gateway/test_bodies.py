"""Bodies: read exactly, or refused with their place."""

import asyncio
import json
from typing import Any

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from gateway import bodies
from gateway.errors import BodyTooLarge, GatewayError, InvalidInput, Malformed, UnsupportedMediaType
from schemas.api.collections import ObjectInput


def request(data: bytes, kind: str = "application/json") -> Request:
    """A call with this body."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    headers = [(b"content-type", kind.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def read(data: bytes | str, kind: str = "application/json") -> ObjectInput:
    """Returns: the object that a body gives."""
    raw = data.encode() if isinstance(data, str) else data
    return asyncio.run(bodies.read(request(raw, kind), ObjectInput))


@pytest.mark.parametrize(
    "value",
    [
        10**400,
        -(10**999),
        0.1,
        -0.0,
        5e-324,
        "😀 e\u0301 \u2028",
        {"": [[], {}, None]},
        {"z": 1, "a": 2},
    ],
)
def test_values_come_in_exactly(value: Any) -> None:
    """Any integer, double and text, and keys in their order."""
    read_value = read(json.dumps({"body": {"value": value}})).body["value"]
    assert repr(read_value) == repr(value)


@pytest.mark.parametrize(
    ("text", "pointer", "said"),
    [
        ('{"body":{"a":NaN}}', "", "NaN"),
        ('{"body":{"a":-Infinity}}', "", "-Infinity"),
        ('{"body":{"a":1e400}}', "/body/a", "double"),
        ('{"body":{"a":1' + "0" * 1000 + "}}", "/body/a", "digits"),
        ('{"body":{"a":1' + "0" * 9000 + "}}", "", "digits"),
        ('{"body":{"a":["x","\\u0000"]}}', "/body/a/1", "NUL"),
        ('{"body":{"a\\ud800":1}}', "/body", "surrogate"),
        ('{"body":{"a":1,"a":2}}', "", "twice"),
        ('{"body":' + '{"a":' * 65 + "1" + "}" * 66, "/body" + "/a" * 64, "64 levels"),
        ('{"body":' + "[" * 100_000 + "]" * 100_000 + "}", "", "64 levels"),
        ('{"body":[]}', "/body", "dictionary"),
        ('{"body":{},"bodi":{}}', "/bodi", "unknown field"),
        ('{"body":{},"ttl_s":-1}', "/ttl_s", "0"),
        ('{"body":{},"ttl_s":' + "9" * 12 + "}", "/ttl_s", "less than"),
        ('{"body":{},"ttl_s":true}', "/ttl_s", "number"),
    ],
)
def test_what_would_not_be_kept_is_refused(text: str, pointer: str, said: str) -> None:
    """The error names the place where there is one, and what is wrong."""
    with pytest.raises(InvalidInput) as raised:
        read(text)
    [error] = raised.value.errors[:1]
    assert (error.pointer, said in error.detail) == (pointer, True), error


def test_the_last_of_many_names_that_comes_twice_is_found() -> None:
    """In the time that reading them takes, though no two of the others are the same."""
    names = [f"n{number}" for number in range(60_000)]
    text = ",".join(f'"{name}":0' for name in [*names, names[-1]])
    with pytest.raises(InvalidInput) as raised:
        read('{"body":{' + text + "}}")
    assert "'n59999'" in raised.value.detail


def test_the_place_of_a_value_is_written_only_where_it_is_refused() -> None:
    """A long name above many values costs nothing of itself for each of them."""
    name, values = "n" * 400_000, "0," * 200_000
    assert len(read(f'{{"body":{{"{name}":[{values}0]}}}}').body[name]) == 200_001


def test_64_levels_are_kept() -> None:
    """The body itself is the first of them."""
    assert read('{"body":' + '{"a":' * 64 + "1" + "}" * 65)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"body":{}} x', b"nul"])
def test_what_is_no_json_is_malformed(data: bytes) -> None:
    """Cut off, not UTF-8, more behind it."""
    with pytest.raises(Malformed):
        read(data)


def test_another_media_type_is_refused() -> None:
    """JSON with parameters is taken; a form is not."""
    assert read('{"body":{}}', "application/json; charset=utf-8")
    with pytest.raises(UnsupportedMediaType):
        read('{"body":{}}', "application/x-www-form-urlencoded")


def test_an_object_has_a_largest_size() -> None:
    """256 KiB of compact JSON, however it was written."""
    for size, spaces in ((256 * 1024, 200_000), (256 * 1024 + 1, 0)):
        body = {"a": "x" * (size - len('{"a":""}'))}
        call = request((json.dumps({"body": body}) + " " * spaces).encode())
        if size > 256 * 1024:
            with pytest.raises(BodyTooLarge):
                asyncio.run(bodies.check_size(call, body))
        else:
            assert asyncio.run(bodies.check_size(call, body)) is None


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_an_object_or_a_problem(data: bytes) -> None:
    """Nothing but problems of 4xx is raised."""
    status = 200
    try:
        read(data)
    except GatewayError as error:
        status = error.status
    assert 200 <= status < 500
