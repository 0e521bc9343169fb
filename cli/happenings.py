"""Events as commands show them: a line each, or JSON for machines."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from cli.client import Gateway
from cli.following import Event
from cli.terminal import console

_PAGE: Final = 200
_MOST_CHARS: Final = 60


def wanted(
    types: Iterable[str], subject_id: str | None, batch: str | None, since: str | None
) -> dict[str, str]:
    """Returns: what is wanted, as the gateway takes it."""
    given = {
        "type": ",".join(types) or None,
        "subject_id": subject_id,
        "batch": batch,
        "since": since,
    }
    return {name: value for name, value in given.items() if value is not None}


def pages(gateway: Gateway, query: dict[str, str]) -> Iterator[Event]:
    """Yields: what has happened, oldest first.

    Raises:
        Failure: the gateway does not answer, or not with events.
    """
    while True:
        page = gateway.call("GET", "/v1/events", query={**query, "limit": _PAGE})
        yield from page["items"]
        if not page["has_more"]:
            return
        query = {**query, "since": page["next_since"]}


def show(events: Iterable[Event], *, as_json: bool) -> None:
    """Print events as they come."""
    if as_json:
        for event in events:
            print(json.dumps(event, ensure_ascii=False), flush=True)
        return
    shown = console()
    for event in events:
        shown.print(_line(event), soft_wrap=True, markup=False)


def _line(event: Event) -> str:
    when, _, _ = event["time"].partition(".")
    told = " ".join(f"{name}={_short(value)}" for name, value in event["data"].items())
    parts = (when.replace("T", " ").rstrip("Z"), f"{event['sequence']:>7}", f"{event['type']:<22}")
    return "  ".join([*parts, event["subject"] or "", told]).rstrip()


def _short(value: Any) -> str:  # noqa: ANN401 - any JSON value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 1] + "…"
