"""Bodies are read as Ollama reads them: null is absent, unknown keys pass, wrong types do not."""

import math

import pytest

from local.models.refusal import Refused
from local.models.requests import ChatBody, EmbedBody, parse, seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, 300.0),
        (0, 0.0),
        (90, 90.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5s", 1.5),
        ("0", 0.0),
        (-1, math.inf),
        ("-1m", math.inf),
    ],
)
def test_keep_alive(value: float | str | None, expected: float) -> None:
    """Numbers are seconds, strings are durations, negatives mean for ever."""
    assert seconds(value) == expected


@pytest.mark.parametrize("value", ["", "soon", "5", "5 m", "m", "5m" * 99])
def test_a_keep_alive_that_is_no_duration_is_refused(value: str) -> None:
    """What Ollama cannot read is not guessed."""
    with pytest.raises(ValueError, match="duration"):
        seconds(value)


def test_null_unknown_keys_and_whole_floats_pass() -> None:
    """The body that the client sends is read whatever else is in it."""
    raw = b'{"messages": null, "novel": 1, "options": {"num_ctx": 4096.0, "mirostat": 1}}'
    body = parse(ChatBody, raw)
    assert body.messages is None
    assert body.options is not None
    assert body.options.num_ctx == 4096


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"  ",
        b"{",
        b"[]",
        b"nonsense",
        b'{"messages": "hi"}',
        b'{"messages": [{"content": "x"}]}',
        b'{"format": "xml"}',
        b'{"options": {"num_ctx": "big"}}',
        b'{"messages": [{"role": "user", "images": ["not base64!"]}]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_a_bad_body_is_refused(raw: bytes) -> None:
    """Each way to send a wrong body gets 400 and a message."""
    with pytest.raises(Refused) as refusal:
        parse(ChatBody, raw)
    assert refusal.value.status == 400
    assert refusal.value.message


def test_an_empty_schema_means_no_format() -> None:
    """`format: ""` and `{}` are the same as none."""
    assert parse(ChatBody, b'{"format": ""}').format is None


def test_embed_takes_one_text_or_many() -> None:
    """Both forms of input are kept as they are."""
    assert parse(EmbedBody, b'{"input": "a"}').input == "a"
    assert parse(EmbedBody, b'{"input": ["a", "b"]}').input == ["a", "b"]
    with pytest.raises(Refused):
        parse(EmbedBody, b'{"input": [1]}')
