"""Webhooks on the command line: what is asked of the gateway, and what is shown."""

import json
from typing import Any

import httpx2
import pytest
import typer

from cli import webhooks
from cli.errors import Failure
from tests.fakes.gateway import FakeGateway, problem

WEBHOOK: dict[str, Any] = {
    "webhook_id": "wh_1",
    "url": "https://example.com/hook",
    "description": None,
    "events": ["*"],
    "state": "active",
    "paused_reason": None,
    "failures": 0,
    "failing_since": None,
    "held_until": None,
    "old_secrets_end_at": None,
    "version": 1,
}
DELIVERY: dict[str, Any] = {
    "delivery_id": "msg_1",
    "event_type": "webhook.test",
    "state": "delivered",
    "attempts": 1,
    "status_code": 200,
    "latency_ms": 12,
    "excerpt": "ok",
    "error": None,
    "created_at": "2026-11-21T08:00:00Z",
    "tried_at": "2026-11-21T08:00:00Z",
}
ISSUED = {**WEBHOOK, "secret": "whsec_x", "pending": False, "status_url": "/v1/requests/1"}


def answers(*bodies: Any) -> FakeGateway:
    """A gateway that answers with these, one after the other."""
    made = [each if isinstance(each, httpx2.Response) else httpx2.Response(200, json=each)
            for each in bodies]  # fmt: skip
    return FakeGateway(first=made)


def completed(**result: Any) -> dict[str, Any]:
    return {"status": "completed", "status_url": "/v1/requests/1", "result": result}


def test_a_new_secret_alone_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a script can keep it; what was not given is not sent."""
    fake = answers(ISSUED)
    given = {"url": WEBHOOK["url"], "events": None, "description": None}
    with fake.opened() as gateway:
        webhooks.create(gateway, given, as_json=False)
    assert capsys.readouterr().out == "whsec_x\n"
    assert json.loads(fake.calls[0].content) == {"url": WEBHOOK["url"]}


def test_endpoints_are_listed_over_all_pages(capsys: pytest.CaptureFixture[str]) -> None:
    """The next page is asked for by its cursor."""
    first = {"items": [WEBHOOK], "has_more": True, "next_cursor": "c"}
    fake = answers(first, {"items": [WEBHOOK], "has_more": False, "next_cursor": None})
    with fake.opened() as gateway:
        webhooks.show_list(gateway, as_json=True)
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert fake.calls[1].url.params["cursor"] == "c"


@pytest.mark.parametrize(("state", "exits"), [("delivered", False), ("failed", True)])
def test_a_test_waits_for_its_outcome(
    state: str, capsys: pytest.CaptureFixture[str], *, exits: bool
) -> None:
    """Its delivery is entered a moment later; the exit code says whether it was taken."""
    pending, ended = {**DELIVERY, "state": "pending"}, {**DELIVERY, "state": state}
    unknown = problem(404, "not_found", "there is no such delivery")
    fake = answers(completed(delivery_id="msg_1"), unknown, pending, ended)
    left = False
    with fake.opened() as gateway:
        try:
            webhooks.send_test(gateway, "wh_1", as_json=True)
        except typer.Exit as error:
            left = error.exit_code == 1
    assert left is exits
    assert json.loads(capsys.readouterr().out)["state"] == state


@pytest.mark.parametrize(("ids", "since"), [([], None), (["msg_1"], "2h")])
def test_deliveries_are_chosen_in_one_way(ids: list[str], since: str | None) -> None:
    """Neither nothing nor both."""
    fake = answers()
    with fake.opened() as gateway, pytest.raises(Failure, match="name deliveries"):
        webhooks.redeliver(gateway, "wh_1", ids, since, None, everything=False, as_json=False)
    assert fake.calls == []


def test_deliveries_of_a_time_are_sent_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Failed ones alone, unless all are wanted."""
    fake = answers(completed(redelivering=3, more_since=None))
    with fake.opened() as gateway:
        webhooks.redeliver(
            gateway, "wh_1", [], "2026-11-21T08:00Z", None, everything=True, as_json=False
        )
    body = json.loads(fake.calls[0].content)
    assert body == {"since": "2026-11-21T08:00:00+00:00", "only_failed": False}
    assert "3 deliveries" in capsys.readouterr().out
