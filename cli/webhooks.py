"""Endpoints of webhooks and their deliveries, through the gateway.

A new secret alone goes to stdout, what is said of it to stderr.
"""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from cli.client import Gateway, Json
from cli.errors import Failure
from cli.gpts import facts, moment
from cli.letters import conditions
from cli.terminal import console, print_json
from schemas.states import DeliveryState, Status

_PATH: Final = "/v1/webhooks"
_PAGE: Final = 100
_TEST_WAITS: Final = 60
_TEST_PAUSE_S: Final = 0.5


def create(gateway: Gateway, given: Json, *, as_json: bool) -> None:
    """Make an endpoint and print its secret. Raises: Failure: it is refused."""
    body = {name: value for name, value in given.items() if value}
    _issued(gateway.call("POST", _PATH, body=body), as_json=as_json)


def rotate(gateway: Gateway, webhook_id: str, overlap_s: int, *, as_json: bool) -> None:
    """Give an endpoint a new secret and print it. Raises: Failure: it is refused."""
    path = f"{_of(webhook_id)}/rotate-secret"
    _issued(gateway.call("POST", path, body={"overlap_s": overlap_s}), as_json=as_json)


def _issued(made: Json, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    said = console(stderr=True)
    said.print(f"webhook {made['webhook_id']}; its secret is shown here only:", style="dim")
    print(made["secret"])
    if made["pending"]:
        said.print(f"not stored yet; see {made['status_url']}", style="yellow")


def show_list(gateway: Gateway, *, as_json: bool) -> None:
    """Print the endpoints. Raises: Failure: the gateway does not answer."""
    items = list(_all(gateway))
    if as_json:
        print_json(items)
        return
    if not items:
        console().print("there are no webhooks")
        return
    table = Table("webhook", "url", "events", "state", "failures", box=None, header_style="bold")
    for each in items:
        style = "" if each["state"] == "active" else "yellow"
        table.add_row(
            each["webhook_id"],
            each["url"],
            ", ".join(each["events"]),
            Text(each["state"], style=style),
            str(each["failures"]),
        )
    console().print(table)


def _all(gateway: Gateway) -> Iterator[Json]:
    query: dict[str, Any] = {"limit": _PAGE}
    while True:
        page = gateway.call("GET", _PATH, query=query)
        yield from page["items"]
        if not page["has_more"]:
            return
        query["cursor"] = page["next_cursor"]


def show_one(gateway: Gateway, webhook_id: str, *, as_json: bool) -> None:
    """Print an endpoint, and what waits for it. Raises: Failure: there is none."""
    _shown(gateway.call("GET", _of(webhook_id)), as_json=as_json)


def change(gateway: Gateway, webhook_id: str, given: Json, *, as_json: bool) -> None:
    """Change an endpoint and print it. Raises: Failure: it is refused."""
    body = {name: value for name, value in given.items() if value}
    if not body:
        raise Failure("say what to change: --url, --events or --description")
    _shown(gateway.call("PATCH", _of(webhook_id), body=body), as_json=as_json)


def delete(gateway: Gateway, webhook_id: str, *, ask: bool, as_json: bool) -> None:
    """Remove an endpoint. Raises: Failure: there is none."""
    if ask:
        question = f"remove {webhook_id} and all that is known of its deliveries?"
        typer.confirm(question, abort=True, err=True)
    _shown(gateway.call("DELETE", _of(webhook_id)), as_json=as_json)


def _shown(found: Json, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    lines = {
        "webhook": found.get("webhook_id"),
        "url": found.get("url"),
        "description": found.get("description"),
        "events": ", ".join(found.get("events", ())),
        "state": found.get("state") or found.get("status"),
        "paused": found.get("paused_reason"),
        "failures": found.get("failures") or None,
        "failing since": moment(found.get("failing_since")),
        "tried again": moment(found.get("held_until")),
        "pending": found.get("pending"),
        "old secrets end": moment(found.get("old_secrets_end_at")),
    }
    facts(lines)


def send_test(gateway: Gateway, webhook_id: str, *, as_json: bool) -> None:
    """Send a test and print what came of it; exit with 1 if it was not taken.

    Raises: Failure: there is no such endpoint, or nothing came of it in time.
    """
    state = gateway.followed(gateway.call("POST", f"{_of(webhook_id)}/test"))
    if state["status"] != Status.COMPLETED:
        raise Failure(f"the request {state['status']}")
    path = f"{_of(webhook_id)}/deliveries/{state['result']['delivery_id']}"
    found = _settled(gateway, path)
    if as_json:
        print_json(found)
    else:
        _show_delivery(found)
    if found["state"] != DeliveryState.DELIVERED:
        raise typer.Exit(1)


def _settled(gateway: Gateway, path: str) -> Json:
    from cli.client import Refusal

    for _ in range(_TEST_WAITS):
        try:
            found = gateway.call("GET", path)
        except Refusal as error:
            # It is entered a moment after the request has ended.
            if error.code != "not_found":
                raise
        else:
            if found["state"] != DeliveryState.PENDING:
                return found
        gateway.sleep(_TEST_PAUSE_S)
    raise Failure("nothing came of the test in time; see `actionstream webhooks deliveries`")


def _show_delivery(found: Json) -> None:
    latency = found["latency_ms"]
    facts(
        {
            "delivery": found["delivery_id"],
            "event": found["event_type"],
            "state": found["state"],
            "status": found["status_code"],
            "error": found["error"],
            "took": None if latency is None else f"{latency} ms",
            "answer": found["excerpt"] or None,
        }
    )


def show_deliveries(gateway: Gateway, webhook_id: str, query: Json, *, as_json: bool) -> None:
    """Print a page of deliveries, latest first. Raises: Failure: there is no such endpoint."""
    given = {name: value for name, value in query.items() if value is not None}
    page = gateway.call("GET", f"{_of(webhook_id)}/deliveries", query=given)
    if as_json:
        print_json(page)
        return
    table = Table("delivery", "at", "event", "state", box=None, header_style="bold")
    for name in ("attempts", "status", "ms"):
        table.add_column(name, justify="right")
    for each in page["items"]:
        answered = each["status_code"] or each["error"] or ""
        table.add_row(
            each["delivery_id"],
            moment(each["tried_at"] or each["created_at"]),
            each["event_type"],
            each["state"],
            str(each["attempts"]),
            str(answered),
            str(each["latency_ms"] or ""),
        )
    console().print(table if page["items"] else "there are no such deliveries")


def redeliver(
    gateway: Gateway,
    webhook_id: str,
    ids: list[str],
    since: str | None,
    until: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Have deliveries sent again, and print how many. Raises: Failure: it is refused."""
    times = conditions(None, None, since, until)
    if bool(ids) == bool(times):
        raise Failure("name deliveries by their ids, or give --since or --until")
    body = {"delivery_ids": ids} if ids else {**times, "only_failed": not everything}
    state = gateway.followed(gateway.call("POST", f"{_of(webhook_id)}/redeliver", body=body))
    if state["status"] != Status.COMPLETED:
        problem: Any = state.get("problem") or {}
        raise Failure(f"the request {state['status']}: {problem.get('detail', 'no reason given')}")
    result = state["result"]
    if as_json:
        print_json(result)
        return
    console().print(f"{result['redelivering']} deliveries are sent again")
    if result["more_since"]:
        console().print(f"there are more: --since {result['more_since']}", style="dim")


def _of(webhook_id: str) -> str:
    return f"{_PATH}/{quote(webhook_id, safe='')}"
