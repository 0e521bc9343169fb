"""Looking at dead letters, and deciding on them through the gateway."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.client import Gateway, Json
from cli.errors import Failure
from cli.terminal import console, print_json
from schemas.states import Status

_AGO: Final = re.compile(r"(\d{1,5})([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOST: Final = 100
_DONE: Final = {"redrive": "redriven", "discard": "discarded"}


def conditions(
    stage: str | None,
    error: str | None,
    since: str | None,
    until: str | None,
    batch: str | None = None,
) -> Json:
    """Returns: the conditions that were given, times as the gateway takes them.

    Raises:
        Failure: a time cannot be understood.
    """
    given = {
        "stage": stage,
        "error": error,
        "since": _moment(since),
        "until": _moment(until),
        "batch_id": batch,
    }
    return {name: value for name, value in given.items() if value is not None}


def _moment(text: str | None) -> str | None:
    """Returns: the time that a text says; one without a zone is UTC, `2h` is two hours ago."""
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        past = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return (datetime.now(UTC) - past).isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(f"{text} is no time; give one such as 2026-11-21T08:00Z, or 2h") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def choice(ids: Sequence[str], given: Json, *, all_: bool) -> Json:
    """Returns: the choice as the gateway takes it: ids, or conditions.

    Raises:
        Failure: nothing was chosen, or in two ways.
    """
    if ids and not all_ and not given:
        return {"ids": list(ids)}
    if all_ and given and not ids:
        return given
    raise Failure(
        "name dead letters by their ids, or give --all with at least one of --stage, --error, "
        "--since, --until and --batch"
    )


def show_list(gateway: Gateway, given: Json, more: Json, *, as_json: bool) -> None:
    """Print a page of dead letters.

    Raises:
        Failure: a condition is wrong, or the gateway does not answer.
    """
    query = {name: value for name, value in {**given, **more}.items() if value is not None}
    page = gateway.call("GET", "/v1/dead-letters", query=query)
    if as_json:
        print_json(page)
        return
    shown = console()
    if not page["items"]:
        shown.print("there are no such dead letters")
        return
    shown.print(table(page["items"]))
    if page["has_more"]:
        shown.print("there are more; raise --limit, or narrow it by --error", style="dim")


def table(items: Sequence[Json]) -> Table:
    """Returns: one row a letter: id, time, stage, error, attempts, document."""
    made = Table("dead letter", "died", "stage", "error", box=None, header_style="bold")
    made.add_column("attempts", justify="right")
    made.add_column("document", overflow="ellipsis", no_wrap=True)
    for item in items:
        made.add_row(
            item["dead_letter_id"],
            str(item["created_at"])[:19],
            item["stage"],
            Text(item["error"], style="red"),
            str(item["attempts"]),
            item["document_id"] or "",
        )
    return made


def show_one(gateway: Gateway, letter_id: str, *, as_json: bool) -> None:
    """Print a dead letter with its record.

    Raises:
        Failure: there is none of this id, or the gateway does not answer.
    """
    letter = gateway.call("GET", f"/v1/dead-letters/{letter_id}")
    if as_json:
        print_json(letter)
    else:
        show_record(console(), letter)


def show_record(shown: Console, letter: Json) -> None:
    """Print what was wrong with a letter, and its record."""
    facts = Table.grid(padding=(0, 2))
    decided = (
        f"{letter['state']} by {letter['decided_by']} at {str(letter['decided_at'])[:19]}"
        if letter["decided_by"]
        else letter["state"]
    )
    lines = {
        "dead letter": letter["dead_letter_id"],
        "state": decided,
        "stage": letter["stage"],
        "error": letter["error"],
        "reason": letter["reason"],
        "attempts": letter["attempts"],
        "died": str(letter["created_at"])[:19],
        "document": letter["document_id"],
        "request": letter["request_id"],
        "read from": f"{letter['topic']}, partition {letter['partition']}, "
        f"offset {letter['offset']}",
        "key": letter["key"],
        **{f"header {name}": value for name, value in letter["headers"].items()},
    }
    for name, value in lines.items():
        if value is not None:
            facts.add_row(Text(name, style="bold"), Text(str(value)))
    shown.print(facts)
    shown.print()
    shown.print(Text(_value(letter)), soft_wrap=True)
    if letter["truncated"]:
        shown.print(f"… the first part of {letter['value_bytes']:,} bytes", style="dim")


def _value(letter: Json) -> str:
    if letter["value_format"] is None:
        return "its value is gone"
    if letter["value_format"] == "json":
        return json.dumps(letter["value"], indent=2, ensure_ascii=False)
    return str(letter["value"])


def decide(gateway: Gateway, verb: str, chosen: Json, *, ask: bool, as_json: bool) -> None:
    """Redrive or discard what was chosen, and print how many; exit with 1 if it was none of some.

    Raises:
        Failure: it is refused or fails, or the gateway does not answer.
    """
    if ask and "ids" not in chosen:
        page = gateway.call("GET", "/v1/dead-letters", query={**chosen, "limit": _MOST})
        count = f"more than {_MOST}" if page["has_more"] else str(len(page["items"]))
        typer.confirm(f"{verb} {count} dead letters?", abort=True, err=True)
    state = gateway.followed(gateway.call("POST", f"/v1/dead-letters/{verb}", body=chosen))
    if state["status"] != Status.COMPLETED:
        problem: Any = state.get("problem") or {}
        raise Failure(f"the request {state['status']}: {problem.get('detail', 'no reason given')}")
    result = state["result"]
    if as_json:
        print_json(result)
    else:
        _show_result(console(), result, _DONE[verb])
    if result["skipped_count"] and not result[_DONE[verb]]:
        raise typer.Exit(1)


def _show_result(shown: Console, result: Json, done: str) -> None:
    shown.print(f"{done} {result[done]}, skipped {result['skipped_count']}")
    for each in result["skipped"]:
        shown.print(f"  {each['id']}  {each['reason']}", style="dim")
    if result["skipped_count"] > len(result["skipped"]):
        shown.print("  and others", style="dim")
