"""Looking at documents that need a person, and deciding on them through the gateway."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from cli.client import Gateway, Json
from cli.errors import Failure
from cli.terminal import console, print_json
from schemas.states import Status

_SHOWN: Final = 3
"""Doubtful fields of a document that a list names."""


def show_list(
    gateway: Gateway, type_name: str | None, batch: str | None, limit: int, *, as_json: bool
) -> None:
    """Print a page of documents that need a person.

    Raises:
        Failure: a condition is wrong, or the gateway does not answer.
    """
    asked = {"type": type_name, "batch_id": batch, "limit": limit}
    query = {name: value for name, value in asked.items() if value is not None}
    page = gateway.call("GET", "/v1/reviews", query=query)
    if as_json:
        print_json(page)
        return
    shown = console()
    if not page["items"]:
        shown.print("no document needs a person")
        return
    made = Table("document", "type", "sure", "file", "least sure", box=None, header_style="bold")
    for item in page["items"]:
        made.add_row(
            item["document_id"],
            item["type"] or "",
            f"{item['confidence']:.2f}",
            Text(item["title"] or item["filename"] or ""),
            Text("; ".join(_brief(each) for each in item["fields"][:_SHOWN] if each["doubtful"])),
        )
    shown.print(made)
    if page["has_more"]:
        shown.print("there are more; raise --limit, or narrow it by --type", style="dim")


def _brief(field: Json) -> str:
    return f"{field['name']}: {field['value'] if field['value'] is not None else 'none'}"


def show_one(gateway: Gateway, review_id: str, *, as_json: bool) -> None:
    """Print the fields of a document that needs a person.

    Raises:
        Failure: it needs none, or the gateway does not answer.
    """
    review = gateway.call("GET", f"/v1/reviews/{review_id}")
    if as_json:
        print_json(review)
        return
    shown = console()
    shown.print(Text(f"{review['title'] or review['filename'] or review_id}", style="bold"))
    made = Table("field", "sure", "value", "page", box=None, header_style="bold")
    for field in review["fields"]:
        place = field["place"]
        made.add_row(
            Text(field["name"]),
            Text(f"{field['confidence']:.2f}", style="red" if field["doubtful"] else ""),
            Text("none" if field["value"] is None else field["value"]),
            "" if place is None else str(place["page"]),
        )
    shown.print(made)


def corrected(changes: Sequence[str]) -> dict[str, Any] | None:
    """Returns: the values by name, JSON where it is any, null where it is empty; None if none.

    Raises:
        Failure: one has no `=`.
    """
    found: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name:
            raise Failure(f"{change} is no correction; write NAME=VALUE, such as total=12.50")
        found[name] = _value(value)
    return found or None


def _value(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Returns: lists, objects and null as JSON; everything else is text, as it is printed."""
    if not text:
        return None
    if text[0] in "[{":
        try:
            return json.loads(text)
        except ValueError as error:
            raise Failure(f"{text} is not JSON; check it with a JSON parser") from error
    return text


def decide(gateway: Gateway, review_id: str, body: Mapping[str, Any], *, as_json: bool) -> None:
    """Send a decision and say what became of it.

    Raises:
        Failure: it was refused, or the gateway does not answer.
    """
    given = {name: value for name, value in body.items() if value is not None}
    answer = gateway.call("POST", f"/v1/reviews/{review_id}/decision", body=given)
    if as_json:
        print_json(answer)
        return
    if answer["status"] == Status.COMPLETED:
        version = answer["result"]["version"]
        console().print(f"{given['decision']}ed; the document is at version {version}")
    else:
        console().print(f"taken, and not yet worked off: {answer['status_url']}")
