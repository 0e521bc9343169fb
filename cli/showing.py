"""Looking at documents: one in detail, several on their way; and deleting one."""

from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.batch import work_through
from cli.client import Gateway, Refusal
from cli.display import confidence, display
from cli.terminal import console, print_json
from cli.tracking import Tracked
from schemas.states import StepState


def show(gateway: Gateway, document_id: str, *, as_json: bool) -> None:
    """Print a document with its timeline and fields.

    Raises:
        Failure: there is no such document, or the gateway does not answer.
    """
    detail = gateway.call("GET", f"/v1/documents/{document_id}")
    fields = fields_of(gateway, document_id)
    if as_json:
        print_json({**detail, "answers": fields.get("answers", {})})
        return
    shown = console()
    _heading(shown, detail)
    if detail["timeline"]:
        shown.print(_timeline(detail["timeline"]))
        for step in detail["timeline"]:
            if line := waiting_line(step):
                shown.print(Text(f"{step['stage']}: {line}", style="magenta"), soft_wrap=True)
    if fields.get("answers") or fields.get("values"):
        shown.print(fields_table(fields))


def fields_of(gateway: Gateway, document_id: str) -> dict[str, Any]:
    """Returns: the document's fields with their evidence; empty while there are none."""
    try:
        return gateway.call("GET", f"/v1/documents/{document_id}/fields")
    except Refusal:
        return {}


def watch(gateway: Gateway, document_ids: Sequence[str], *, as_json: bool) -> None:
    """Follow documents until all have ended; exit with 1 if any failed.

    Raises:
        Failure: the gateway does not answer.
    """
    documents = [Tracked(name=one, document_id=one, status="") for one in document_ids]
    shown = display(console(), silent=as_json)
    work_through(gateway, documents, lambda _: None, shown, wait=True)
    if as_json:
        print_json([one.to_json() for one in documents])
    if not all(one.succeeded for one in documents):
        raise typer.Exit(1)


def delete(gateway: Gateway, document_id: str) -> None:
    """Delete a document.

    Raises:
        Failure: there is none, or the gateway does not answer.
    """
    state = gateway.call("DELETE", f"/v1/documents/{document_id}")
    done = state["status"] == "completed"
    print("deleted" if done else f"{state['status']}; follow it at {state['status_url']}")


def waiting_line(step: dict[str, Any]) -> str:
    """Returns: what a step waits for, and until or since when (UTC); empty where it does not."""
    what = step.get("waiting_for")
    if step["state"] != StepState.WAITING or not what:
        return ""
    if due := step.get("retry_at"):
        allowed = step.get("attempts_allowed")
        attempt = f"attempt {step['attempt']}" + (f" of {allowed}" if allowed else "")
        return f"waiting for {what}: {attempt} at {str(due)[11:16]}"
    since = step.get("waiting_since")
    return f"waiting for {what}" + (f" since {str(since)[11:16]}" if since else "")


def fields_table(fields: dict[str, Any], *, limit: int = 40) -> Table:
    """Returns: one row a field, cell by cell where a field is a table: value and confidence."""
    made = Table("field", "value", box=None, header_style="bold", pad_edge=False)
    made.add_column("confidence", justify="right")
    made.add_column("page", justify="right")
    rows = list(_rows(fields.get("answers") or {}))
    for name, answer in rows[:limit]:
        place = answer.get("place") or {}
        made.add_row(
            name,
            Text(" ".join(str(answer["value"]).split()), overflow="ellipsis"),
            confidence(answer.get("confidence")),
            str(place.get("page") or ""),
        )
    if len(rows) > limit:
        made.add_row("…", f"and {len(rows) - limit} more", "", "")
    return made


def _rows(answers: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Returns: each value that was found, with a name such as `lines[0].amount`."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name, answer in answers.items():
        if not isinstance(answer, list):
            found.append((name, answer))
            continue
        for number, item in enumerate(answer):
            if "evidence" in item:
                found.append((f"{name}[{number}]", item))
            else:
                found.extend((f"{name}[{number}].{cell}", one) for cell, one in item.items())
    return [(name, answer) for name, answer in found if answer.get("value") is not None]


def _heading(shown: Console, detail: dict[str, Any]) -> None:
    facts = Table.grid(padding=(0, 2))
    size = detail.get("size_bytes")
    lines = {
        "document": detail["document_id"],
        "file": detail.get("filename"),
        "title": detail.get("title"),
        "status": detail["status"],
        "type": detail.get("type"),
        "content": detail.get("content_type"),
        "size": None if size is None else f"{size:,} bytes",
        "pages": detail.get("page_count"),
        "duplicate of": detail.get("duplicate_of"),
        "problem": (detail.get("problem") or {}).get("detail"),
    }
    for name, value in lines.items():
        if value is not None:
            facts.add_row(Text(name, style="bold"), Text(str(value)))
    for name in ("type_confidence", "confidence"):
        if detail.get(name) is not None:
            facts.add_row(Text(name.replace("_", " "), style="bold"), confidence(detail[name]))
    if detail.get("needs_review"):
        facts.add_row("", Text("needs review", style="yellow"))
    shown.print(facts)
    shown.print()


def _timeline(steps: list[dict[str, Any]]) -> Table:
    made = Table("step", "state", "began", box=None, header_style="bold", pad_edge=False)
    made.add_column("took", justify="right")
    made.add_column("attempts", justify="right")
    made.add_column("waited", justify="right")
    for step in steps:
        part = f" part {step['part']}" if step["part"] else ""
        took = step.get("duration_ms")
        waited = step.get("waited_ms")
        made.add_row(
            f"{step['stage']}{part}",
            str(step["state"]),
            str(step["started_at"])[11:19],
            "" if took is None else f"{took} ms",
            str(step["attempts"]),
            f"{waited} ms" if waited else "",
        )
    return made
