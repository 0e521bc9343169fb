"""GPTs and keys on the command line: what is asked of the gateway, what is shown, and where."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import typer

from cli import gpts, keys
from cli.client import administer
from cli.errors import Failure
from tests.fakes.gateway import FakeGateway, problem

GPT: dict[str, Any] = {
    "gpt_id": "diary",
    "name": "Diary",
    "max_objects": 1000,
    "max_bytes": None,
    "object_count": 12,
    "byte_count": 34567,
    "disabled_at": None,
    "deleted_at": None,
    "created_at": "2026-11-21T08:00:00.123456Z",
    "updated_at": "2026-11-21T08:00:00.123456Z",
}
KEY: dict[str, Any] = {
    "key_id": "4kQ7ZbT2mXw9LrPd",
    "gpt_id": "diary",
    "name": "the action",
    "scopes": ["read", "write"],
    "subject": None,
    "rate_limits": None,
    "created_at": "2026-11-21T08:00:00Z",
    "expires_at": None,
    "revoked_at": None,
    "replaced_by": None,
}
TEXT = "as_live_4kQ7ZbT2mXw9LrPd_secret_check"
STATUS_URL = "/v1/admin/requests/req_1"
ISSUED = {
    **KEY,
    "key": TEXT,
    "pending": False,
    "confirmed": True,
    "request_id": "req_1",
    "status_url": STATUS_URL,
}
PENDING = {**ISSUED, "created_at": None, "pending": True}
ACCEPTED = {"status": "accepted", "status_url": STATUS_URL}


def page(*items: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    """A page of a list."""
    return {"items": list(items), "next_cursor": cursor, "has_more": cursor is not None}


def given(fake: FakeGateway, *answers: tuple[int, dict[str, Any]]) -> None:
    """What the gateway answers, call by call."""
    fake.first = [httpx2.Response(status, json=body) for status, body in answers]


def asked(fake: FakeGateway) -> list[tuple[str, str, Any]]:
    """The calls that were made, with their bodies."""
    return [
        (call.method, call.url.path, json.loads(call.content) if call.content else None)
        for call in fake.calls
    ]


def final(status: str = "completed", **result: Any) -> tuple[int, dict[str, Any]]:
    """A request that has come to its end."""
    return 200, {"status": status, "status_url": STATUS_URL, "result": {"status": 201, **result}}


def test_quotas_are_numbers_or_the_default() -> None:
    """What was not given is not sent, so that it stays as it is."""
    assert gpts.changes("Diary", "1_000", "default") == {
        "name": "Diary",
        "max_objects": 1000,
        "max_bytes": None,
    }
    assert gpts.changes(None, None, None) == {}
    with pytest.raises(Failure, match="many is no quota"):
        gpts.changes(None, "many", None)


def test_a_gpt_is_made_and_shown(fake: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    """Its row is printed, counts with their limits."""
    given(fake, (201, GPT))
    gpts.create(fake.opened(), "diary", {"name": "Diary"}, as_json=False)
    assert asked(fake) == [("POST", "/v1/admin/gpts", {"gpt_id": "diary", "name": "Diary"})]
    shown = capsys.readouterr().out
    assert "12 of 1,000" in shown
    assert "34,567" in shown
    assert "deleted" not in shown


def test_a_change_that_takes_longer_is_waited_for(
    fake: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is the row all the same, and stdout is JSON and nothing else."""
    given(fake, (202, ACCEPTED), (200, ACCEPTED), final(gpt=GPT))
    gpts.change(fake.opened(), "POST", "diary", "/disable", as_json=True)
    assert [path for _, path, _ in asked(fake)] == [
        "/v1/admin/gpts/diary/disable",
        STATUS_URL,
        STATUS_URL,
    ]
    said = capsys.readouterr()
    assert json.loads(said.out) == GPT
    assert STATUS_URL in said.err


def test_a_change_that_is_refused_late_is_a_sentence(fake: FakeGateway) -> None:
    """The problem of the request says why."""
    refused = {"status": "failed", "status_url": STATUS_URL, "problem": {"detail": "No."}}
    given(fake, (202, ACCEPTED), (200, refused))
    with pytest.raises(Failure, match=r"the request failed: No\."):
        gpts.change(fake.opened(), "POST", "diary", "/disable", as_json=True)


def test_nothing_to_change_is_said(fake: FakeGateway) -> None:
    """Nothing is sent then."""
    with pytest.raises(Failure, match="give at least one"):
        gpts.change(fake.opened(), "PATCH", "diary", body={}, as_json=False)
    assert fake.calls == []


def test_all_pages_are_listed(fake: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    """A row a GPT; one that is disabled says so."""
    other = {**GPT, "gpt_id": "habits", "disabled_at": "2026-11-21T08:00:00Z"}
    given(fake, (200, page(GPT, cursor="c")), (200, page(other)))
    gpts.show_list(fake.opened(), as_json=False)
    assert [dict(call.url.params) for call in fake.calls] == [
        {"limit": "100"},
        {"limit": "100", "cursor": "c"},
    ]
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "diary"
    assert second.split()[0] == "habits"
    assert second.split()[-1] == "disabled"


def test_a_deletion_names_what_goes_and_asks(
    fake: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a yes nothing is deleted."""
    prompts = []

    def answer_no(text: str, **_: Any) -> None:
        prompts.append(text)
        raise typer.Abort

    monkeypatch.setattr(typer, "confirm", answer_no)
    given(fake, (200, GPT))
    with pytest.raises(typer.Abort):
        gpts.delete(fake.opened(), "diary", ask=True, as_json=False)
    assert prompts == ["delete diary (Diary) with its documents and 12 objects, for good?"]
    assert [method for method, _, _ in asked(fake)] == ["GET"]


def test_a_new_key_alone_goes_to_stdout(
    fake: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is said of it goes to stderr, so that a script can take the key."""
    given(fake, (201, ISSUED))
    body = {"name": "the action", "scopes": None, "expires_at": None}
    keys.create(fake.opened(), "diary", body, as_json=False)
    assert asked(fake) == [("POST", "/v1/admin/gpts/diary/keys", {"name": "the action"})]
    said = capsys.readouterr()
    assert said.out == f"{TEXT}\n"
    assert "shown this once" in said.err
    assert TEXT not in said.err


def test_a_pending_key_is_printed_once_it_is_stored(
    fake: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """The wait is for the request, and the text is that of the first answer."""
    pending = {**PENDING, "status_url": f"https://public.test{STATUS_URL}"}
    given(fake, (202, pending), (200, ACCEPTED), final(key=KEY))
    keys.create(fake.opened(), "diary", {"name": "the action"}, as_json=True)
    assert {call.url.host for call in fake.calls} == {"gateway.test"}
    made = json.loads(capsys.readouterr().out)
    assert (made["key"], made["pending"], made["created_at"]) == (TEXT, False, KEY["created_at"])


@pytest.mark.parametrize("late", [False, True], ids=["at once", "pending"])
def test_a_lost_text_is_said_with_the_remedy(fake: FakeGateway, *, late: bool) -> None:
    """A call that was repeated after its answer was lost made a key that nobody can know."""
    stored = {**KEY, "key_id": "Hs81vYc3JnEo5FuA"}
    if late:
        given(fake, (202, PENDING), final(key=stored))
    else:
        given(fake, (201, {**ISSUED, **stored, "key": None}))
    with pytest.raises(Failure, match="keys rotate diary Hs81vYc3JnEo5FuA --overlap 0"):
        keys.create(fake.opened(), "diary", {"name": "x"}, as_json=False)


def test_a_rotation_says_for_how_long(fake: FakeGateway) -> None:
    """A span becomes seconds."""
    given(fake, (201, ISSUED))
    body = {"overlap_s": keys.seconds("2h"), "expires_at": None}
    keys.rotate(fake.opened(), "diary", KEY["key_id"], body, as_json=False)
    [(_, path, sent)] = asked(fake)
    assert path == f"/v1/admin/gpts/diary/keys/{KEY['key_id']}/rotate"
    assert sent == {"overlap_s": 7200}


def test_spans_and_times() -> None:
    """A span is counted from now; a date is UTC; anything else is a sentence."""
    assert [keys.seconds(text) for text in ("0", "90s", "30m", "7d")] == [0, 90, 1800, 604_800]
    ends_at = datetime.fromisoformat(str(keys.ahead("2d")))
    assert timedelta(0) <= datetime.now(UTC) + timedelta(days=2) - ends_at < timedelta(hours=1)
    assert keys.ahead("2027-11-21") == "2027-11-21T00:00:00+00:00"
    assert keys.ahead("2027-11-21T08:00+02:00") == "2027-11-21T08:00:00+02:00"
    assert keys.ahead(None) is None
    for call in (keys.seconds, keys.ahead):
        with pytest.raises(Failure, match="soon is no"):
            call("soon")


def test_a_key_is_revoked_after_a_yes(
    fake: FakeGateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The question names key and GPT."""
    prompts: list[str] = []
    monkeypatch.setattr(typer, "confirm", lambda text, **_: prompts.append(text))
    given(fake, (200, {**KEY, "revoked_at": "2026-11-21T09:00:00Z"}))
    keys.revoke(fake.opened(), "diary", KEY["key_id"], ask=True, as_json=False)
    assert prompts == [f"revoke the key {KEY['key_id']} of diary, for good?"]
    assert "2026-11-21T09:00:00Z" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, ""),
        ({"revoked_at": "2026-11-21T09:00:00Z"}, "revoked 2026-11-21"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "ended 2020-01-01 00:00:00"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, "until 2999-01-01 00:00:00"),
        (
            {"expires_at": "2020-01-01T00:00:00Z", "replaced_by": "B" * 16},
            f"ended 2020-01-01 00:00:00, replaced by {'B' * 16}",
        ),
    ],
)
def test_a_key_in_a_list_says_its_state(
    fake: FakeGateway, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], state: str
) -> None:
    """Beside the day it was made and its last use, to the minute."""
    item = {**KEY, "last_used_at": "2026-11-21T10:42:00Z", **changes}
    given(fake, (200, page(item)))
    keys.show_list(fake.opened(), "diary", as_json=False)
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split()[:5] == [KEY["key_id"], "the", "action", "read", "write"]
    assert row.rstrip().endswith(f"2026-11-21 10:42  {state}".rstrip())


def test_a_refusal_is_a_sentence(fake: FakeGateway) -> None:
    """The gateway's own, with its code."""
    fake.first = [problem(403, "forbidden", "this key may not administer")]
    with pytest.raises(Failure, match=r"this key may not administer \(forbidden\)"):
        gpts.show_list(fake.opened(), as_json=False)


@pytest.mark.usefixtures("bare")
def test_administering_needs_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant's key is not taken for it; the sentence names the variable."""
    monkeypatch.setenv("ACTIONSTREAM_API_KEY", "k" * 16)
    with pytest.raises(Failure, match="set ACTIONSTREAM_ADMIN_KEY"):
        administer()
    monkeypatch.setenv("ACTIONSTREAM_ADMIN_KEY", "k" * 16)
    with administer() as gateway:
        assert gateway.url == "http://127.0.0.1:8080"
