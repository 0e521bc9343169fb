"""Dead letters over HTTP: lists, one with its record, and the requests that decide on them."""

import json
import uuid
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from confluent_kafka import Message

from gateway.errors import NotFound
from gateway.principal import Principal
from gateway.routes.dead_letters import _check_operator
from schemas.tables import DEAD_LETTERS
from tests.integration.gateway.conftest import Answer, Records, Rows

HEADERS = [["gpt-id", b64encode(b"demo").decode()], ["odd", b64encode(b"\xff").decode()]]


def put(rows: Rows, **values: Any) -> str:
    """Put a dead letter. Returns: its id."""
    letter_id = f"dl_{uuid.uuid4().hex}"
    row = {
        "topic": "document-classified",
        "partition": 0,
        "record_offset": uuid.uuid4().int % 10**12,
        "dead_letter_id": letter_id,
        "stage": "extract",
        "record_key": b"doc_1",
        "record_value": b'{"document_id": "doc_1"}',
        "headers": HEADERS,
        "attempts": 5,
        "error": "models_trouble",
        "reason": "The model gave no answer.",
        **values,
    }
    rows.add(DEAD_LETTERS, **row)
    return letter_id


async def listed(api: httpx2.AsyncClient, **parameters: str) -> list[str]:
    """Returns: the ids that a list shows, page after page."""
    found, cursor = list[str](), None
    while cursor is not None or not found:
        more = {"cursor": cursor} if cursor else {}
        response = await api.get("/v1/dead-letters", params={**parameters, **more})
        assert response.status_code == 200, response.text
        found += [item["dead_letter_id"] for item in response.json()["items"]]
        cursor = response.json()["next_cursor"]
        if cursor is None:
            break
    return found


async def test_letters_are_listed_by_what_is_asked(api: httpx2.AsyncClient, rows: Rows) -> None:
    """By error, stage, time, state and document; newest first, and open ones by default."""
    error, start = f"e{uuid.uuid4().hex[:8]}", datetime(2026, 1, 1, tzinfo=UTC)
    ids = [
        put(rows, error=error, created_at=start + timedelta(hours=hour), **values)
        for hour, values in enumerate(
            ({}, {"stage": "parse"}, {"document_id": "doc_x"}, {"state": "discarded"})
        )
    ]

    assert await listed(api, error=error) == [ids[2], ids[1], ids[0]]
    assert await listed(api, error=error, limit="1") == [ids[2], ids[1], ids[0]]
    assert await listed(api, error=error, stage="parse") == [ids[1]]
    assert await listed(api, error=error, document_id="doc_x") == [ids[2]]
    assert await listed(api, error=error, state="discarded") == [ids[3]]
    since, until = "2026-01-01T01:00:00Z", "2026-01-01T03:00:00+01:00"
    assert await listed(api, error=error, since=since, until=until) == [ids[1]]


async def test_letters_of_others_are_not_shown(api: httpx2.AsyncClient, rows: Rows) -> None:
    """Neither another tenant's nor one that named no tenant."""
    error = f"e{uuid.uuid4().hex[:8]}"
    other = replace(rows, gpt_id="somebody-else")
    ids = [put(other, error=error), put(replace(rows, gpt_id="-"), error=error)]

    assert await listed(api, error=error) == []
    for letter_id in (*ids, "dl_" + "0" * 32, "dl_%00"):
        assert (await api.get(f"/v1/dead-letters/{letter_id}")).status_code == 404
        for verb in ("redrive", "discard"):
            answer = await api.post(f"/v1/dead-letters/{letter_id}/{verb}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (b'{"a": [1]}', "json", {"a": [1]}),
        ("née".encode(), "text", "née"),
        (b'"\\u0000"', "text", '"\\u0000"'),
        (b"[" * 20_000, "text", "[" * 20_000),
        (b"\xff\xfe", "base64", "//4="),
        (None, None, None),
    ],
)
async def test_a_letter_is_shown_with_its_record(
    api: httpx2.AsyncClient, rows: Rows, value: bytes | None, kind: str | None, shown: Any
) -> None:
    """Key and headers are readable, the value is JSON or text where it is that."""
    letter_id = put(rows, record_value=value)

    body = (await api.get(f"/v1/dead-letters/{letter_id}")).json()

    assert (body["value_format"], body["value"]) == (kind, shown)
    assert body["value_bytes"] == (None if value is None else len(value))
    assert (body["key"], body["headers"]) == ("doc_1", {"gpt-id": "demo", "odd": "\ufffd"})
    assert (body["topic"], body["partition"], body["truncated"]) == (
        "document-classified",
        0,
        False,
    )
    assert body["problem_type"] == "/problems/models-trouble"


async def test_a_large_value_is_cut(api: httpx2.AsyncClient, rows: Rows) -> None:
    """Not in the middle of a character, and the answer says so."""
    value = b"x" + "é".encode() * 40_000
    letter_id = put(rows, record_value=value)

    body = (await api.get(f"/v1/dead-letters/{letter_id}")).json()

    assert (body["truncated"], body["value_bytes"]) == (True, len(value))
    assert value.decode().startswith(body["value"])
    assert len(body["value"].encode()) == 48 * 1024 - 1


@pytest.fixture
def decided(
    answering: Callable[[str, Answer], None], rows: Rows, records: Records
) -> list[dict[str, Any]]:
    """Workers that decide on all they are asked; returns the messages they have seen."""
    seen: list[dict[str, Any]] = []

    def decide(message: Message, request_id: str) -> None:
        headers = {name: value.decode() for name, value in message.headers()}
        seen.append({"key": message.key(), **json.loads(message.value())})
        rows.settle(
            request_id, result={"redriven": 1}, fingerprint=headers["fingerprint"], kind="x"
        )
        records.wake(request_id)

    for topic in ("redrive-dead-letters", "discard-dead-letters"):
        answering(topic, decide)
    return seen


@pytest.mark.parametrize("verb", ["redrive", "discard"])
async def test_one_letter_is_decided_on(
    api: httpx2.AsyncClient, rows: Rows, decided: list[dict[str, Any]], verb: str, caller: str
) -> None:
    """The request names the letter and who asks; a repeat under one key is the same request."""
    letter_id = put(rows)
    key = {"Idempotency-Key": uuid.uuid4().hex}

    answers = [
        await api.post(f"/v1/dead-letters/{letter_id}/{verb}", headers=key) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["result"] == {"redriven": 1}
    assert answers[0].json()["request_id"] == answers[1].json()["request_id"]
    [message] = decided
    assert (message["ids"], message["by"]) == ([letter_id], caller)
    assert message["key"] == rows.gpt_id.encode()


async def test_letters_are_chosen_by_conditions(
    api: httpx2.AsyncClient, decided: list[dict[str, Any]]
) -> None:
    """All of an error since a time, without naming one."""
    body = {"error": "models_trouble", "since": "2026-11-21T08:00:00Z"}

    answer = await api.post("/v1/dead-letters/redrive", json=body)

    assert answer.status_code == 200, answer.text
    [message] = decided
    assert {name: message[name] for name in ("ids", "stage", *body)} == {
        "ids": [],
        "stage": None,
        **body,
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "empty_choice"),
        ({"ids": []}, "empty_choice"),
        ({"ids": ["dl_" + "0" * 32], "error": "x"}, "invalid_input"),
        ({"ids": ["doc_1"]}, "invalid_input"),
        ({"since": "2026-11-21"}, "invalid_input"),
        ({"since": "2026-11-21T08:00:00"}, "invalid_input"),
        ({"errors": "x"}, "invalid_input"),
    ],
)
async def test_choices_that_cannot_be_meant(
    api: httpx2.AsyncClient, body: dict[str, Any], code: str
) -> None:
    """Nothing, both ways at once, times without a zone and misspelt conditions are refused."""
    for verb in ("redrive", "discard"):
        answer = await api.post(f"/v1/dead-letters/{verb}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_end_users_see_no_letters() -> None:
    """A tenant's letters hold everyone's records, so that a caller with a subject gets none."""
    with pytest.raises(NotFound):
        _check_operator(Principal("demo", "someone", "-", frozenset({"write"}), None))
