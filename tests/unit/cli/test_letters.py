"""Dead letters on the command line: what is asked of the gateway, and what is shown."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import typer
from rich.console import Console

from cli import letters
from cli.errors import Failure
from tests.fakes.gateway import FakeGateway, problem
from tests.unit.cli.conftest import printed

LETTER: dict[str, Any] = {
    "dead_letter_id": "dl_1",
    "state": "dead",
    "stage": "extract",
    "error": "models_trouble",
    "reason": "The model gave no answer.",
    "attempts": 5,
    "document_id": "doc_1",
    "request_id": "req_1",
    "created_at": "2026-11-21T08:00:00Z",
    "decided_by": None,
    "decided_at": None,
    "topic": "document-classified",
    "partition": 0,
    "offset": 7,
    "key": "doc_1",
    "headers": {"gpt-id": "demo"},
    "value": {"document_id": "doc_1"},
    "value_format": "json",
    "value_bytes": 24,
    "truncated": False,
}
PAGE = {"items": [LETTER], "next_cursor": None, "has_more": False}


def completed(**result: Any) -> httpx2.Response:
    """The end of a request."""
    whole = {"skipped": [], "skipped_count": 0, **result}
    return httpx2.Response(200, json={"status": "completed", "result": whole})


def asked(fake: FakeGateway) -> list[tuple[str, str]]:
    """The calls that were made."""
    return [(call.method, call.url.path) for call in fake.calls]


def test_conditions_are_times_and_names() -> None:
    """A time without a zone is UTC; what was not given is not asked for."""
    given = letters.conditions(None, "x", "2026-11-21T08:00", "2026-11-21T08:00:00+02:00", "b")
    assert given == {
        "batch_id": "b",
        "error": "x",
        "since": "2026-11-21T08:00:00+00:00",
        "until": "2026-11-21T08:00:00+02:00",
    }


def test_a_time_may_be_said_as_so_long_ago() -> None:
    """`2h` is two hours before now."""
    since = datetime.fromisoformat(letters.conditions(None, None, "2h", None)["since"])
    assert timedelta(hours=2) <= datetime.now(UTC) - since < timedelta(hours=3)


@pytest.mark.parametrize("text", ["yesterday", "2x", "", "999999d"])
def test_other_times_are_refused(text: str) -> None:
    """A sentence shows how to write one."""
    with pytest.raises(Failure, match="is no time"):
        letters.conditions(None, None, text, None)


def test_a_choice_is_ids_or_all_of_some() -> None:
    """Ids are sent as ids, conditions as conditions."""
    assert letters.choice(["dl_1"], {}, all_=False) == {"ids": ["dl_1"]}
    assert letters.choice([], {"error": "x"}, all_=True) == {"error": "x"}


@pytest.mark.parametrize(
    ("ids", "given", "all_"),
    [
        ([], {}, False),
        ([], {}, True),
        ([], {"error": "x"}, False),
        (["dl_1"], {}, True),
        (["dl_1"], {"error": "x"}, False),
    ],
)
def test_choices_that_cannot_be_meant(ids: list[str], given: dict[str, str], *, all_: bool) -> None:
    """Everything at once, and ids beside conditions, are refused before anything is sent."""
    with pytest.raises(Failure, match="name dead letters"):
        letters.choice(ids, given, all_=all_)


def test_a_list_asks_for_what_was_given(
    fake: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """Conditions become parameters, and the table has a row a letter."""
    fake.first = [httpx2.Response(200, json={**PAGE, "has_more": True})]
    more = {"state": "dead", "document_id": None, "limit": 20}
    letters.show_list(fake.opened(), {"error": "models_trouble"}, more, as_json=False)
    [call] = fake.calls
    assert dict(call.url.params) == {"error": "models_trouble", "state": "dead", "limit": "20"}
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("dl_1", "extract", "models_trouble", "doc_1"))
    assert "there are more" in shown


def test_an_empty_list_is_said(fake: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a sentence and not silence."""
    fake.first = [httpx2.Response(200, json={**PAGE, "items": []})]
    letters.show_list(fake.opened(), {}, {}, as_json=False)
    assert capsys.readouterr().out.strip() == "there are no such dead letters"


def test_machines_get_what_the_gateway_said(
    fake: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json a list, a letter and a result are printed as they came."""
    fake.first = [httpx2.Response(200, json=each) for each in (PAGE, LETTER)]
    letters.show_list(fake.opened(), {}, {}, as_json=True)
    assert json.loads(capsys.readouterr().out) == PAGE
    letters.show_one(fake.opened(), "dl_1", as_json=True)
    assert json.loads(capsys.readouterr().out) == LETTER
    fake.first = [completed(discarded=1)]
    letters.decide(fake.opened(), "discard", {"ids": ["dl_1"]}, ask=True, as_json=True)
    assert json.loads(capsys.readouterr().out)["discarded"] == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, '"document_id": "doc_1"'),
        ({"value": "née", "value_format": "text"}, "née"),
        ({"value": None, "value_format": None}, "its value is gone"),
        ({"truncated": True, "value_bytes": 70_000}, "the first part of 70,000 bytes"),
        (
            {"state": "redriven", "decided_by": "key:demo", "decided_at": "x"},
            "redriven by key:demo",
        ),
    ],
)
def test_a_letter_shows_reason_and_record(page: Console, change: dict[str, Any], text: str) -> None:
    """Where it was read, its key and headers, and its value in the form that it has."""
    letters.show_record(page, {**LETTER, **change})
    shown = printed(page)
    assert text in shown
    assert "The model gave no answer." in shown
    assert "document-classified, partition 0, offset 7" in shown


def test_a_request_is_followed_to_its_end(
    fake: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many letters take their time; the count comes at the end."""
    pending = {"status": "processing", "status_url": "/v1/requests/req_1"}
    skip = {"id": "dl_2", "reason": "superseded"}
    fake.first = [
        httpx2.Response(202, json=pending),
        httpx2.Response(200, json=pending),
        completed(redriven=3, skipped=[skip], skipped_count=60),
    ]
    letters.decide(fake.opened(), "redrive", {"ids": ["dl_1"]}, ask=True, as_json=False)
    assert (
        asked(fake) == [("POST", "/v1/dead-letters/redrive")] + [("GET", "/v1/requests/req_1")] * 2
    )
    shown = capsys.readouterr().out
    assert "redriven 3, skipped 60" in shown
    assert "dl_2  superseded" in shown
    assert "and others" in shown


def test_nothing_but_skipped_ones_is_a_failure(fake: FakeGateway) -> None:
    """Who names a letter that cannot be sent learns it by the exit code."""
    fake.first = [completed(redriven=0, skipped_count=1)]
    with pytest.raises(typer.Exit):
        letters.decide(fake.opened(), "redrive", {"ids": ["dl_1"]}, ask=False, as_json=False)


def test_a_failed_request_is_a_sentence(fake: FakeGateway) -> None:
    """Of a request that ends badly, its reason is said; so is a refusal."""
    failed = {"status": "failed", "problem": {"detail": "No."}}
    fake.first = [httpx2.Response(200, json=failed), problem(404, "not_found", "there is none")]
    for reason in ("failed: No", "there is none"):
        with pytest.raises(Failure, match=reason):
            letters.decide(fake.opened(), "discard", {"ids": ["dl_1"]}, ask=True, as_json=False)


@pytest.mark.parametrize(("more", "count"), [(True, "more than 100"), (False, "1")])
def test_all_is_asked_for_first(
    fake: FakeGateway,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    more: bool,
    count: str,
) -> None:
    """Who says no decides on nothing; the question says how many it would be."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    fake.first = [httpx2.Response(200, json={**PAGE, "has_more": more})]
    with pytest.raises(typer.Abort):
        letters.decide(fake.opened(), "redrive", {"error": "x"}, ask=True, as_json=False)
    assert asked(fake) == [("GET", "/v1/dead-letters")]
    assert f"redrive {count} dead letters?" in capsys.readouterr().err


def test_all_without_a_question(fake: FakeGateway) -> None:
    """With --yes the conditions are sent at once."""
    fake.first = [completed(redriven=2)]
    letters.decide(fake.opened(), "redrive", {"error": "x"}, ask=False, as_json=False)
    [call] = fake.calls
    assert json.loads(call.content) == {"error": "x"}
