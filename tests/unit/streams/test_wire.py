"""Records as JSON: what the ledger stores is what goes out again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.envelope import Envelope
from schemas.json_values import holds_unstorable
from schemas.messages import Ping, Result
from schemas.states import Status
from streams.stage import Output, Record
from streams.wire import from_json, made, to_json
from tests.suites.ledger import IDS

VALUES = st.binary(max_size=50) | st.text(max_size=20).map(str.encode)
HEADERS = st.lists(st.tuples(st.text("abc-", max_size=5), st.binary(max_size=10))).map(tuple)


@given(st.none() | st.binary(max_size=20), VALUES, HEADERS)
def test_a_record_survives_its_json(
    key: bytes | None, value: bytes, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """Whatever bytes it has; and the JSON is text that Postgres keeps."""
    record = Record("topic", key, value, headers)

    text = json.dumps(to_json(record))

    assert from_json(json.loads(text)) == record
    assert not holds_unstorable(to_json(record))


@pytest.mark.parametrize("value", [b"a\0b", b"\xff\xfe", b"\xed\xa0\x80", b"\0"])
def test_bytes_that_are_no_text_go_as_base64(value: bytes) -> None:
    """NUL and what is not UTF-8, a lone surrogate too."""
    data = to_json(Record("topic", None, value, ()))

    assert data["base64"] is True
    assert from_json(data).value == value


def envelope() -> Envelope:
    return Envelope.model_validate(
        {
            "request-id": IDS.mint("req", "demo"),
            "gpt-id": "demo",
            "schema": "ping.v1",
            "part": 3,
        }
    )


def test_results_go_to_the_reply_topic() -> None:
    """And facts to their own."""
    answer = Result(request_id="r", status=Status.COMPLETED)
    result = made(Output(topics.RESULTS, "r", answer), envelope(), reply_topic="mine")
    fact = made(Output(topics.PING, "r", Ping()), envelope(), reply_topic="mine")

    assert (result.topic, fact.topic) == ("mine", "ping")
    assert dict(result.headers)["schema"] == b"result.v1"
    assert dict(result.headers)["part"] == b"0"
