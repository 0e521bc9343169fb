"""Looking at batches, and closing, cancelling, repeating and reading them."""

import sys
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.batching import follow, print_failures, went_well
from cli.client import Gateway, Json
from cli.errors import Failure
from cli.progress import outlook, progress, settled
from cli.terminal import console, print_json

_COLOURS: Final = {"open": "yellow", "closed": "yellow", "completed": "green", "cancelled": "red"}


def show_list(gateway: Gateway, states: list[str], limit: int, *, as_json: bool) -> None:
    """Print a page of batches, newest first. Raises: Failure: the gateway does not answer."""
    query: Json = {"limit": limit, **({"state": states} if states else {})}
    page = gateway.call("GET", "/v1/batches", query=query)
    if as_json:
        print_json(page)
        return
    shown = console()
    if not page["items"]:
        shown.print("there are no such batches")
        return
    shown.print(table(page["items"]))
    if page["has_more"]:
        shown.print("there are more; raise --limit, or choose by --state", style="dim")


def table(items: list[Json]) -> Table:
    """Returns: one row a batch: name, state, documents, and its id."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("batch", "state", "made", "documents", "ended", "failed", "id"):
        made.add_column(name, overflow="fold", no_wrap=name == "id")
    for one in items:
        failed = one["counts"]["failed"]
        made.add_row(
            Text(one["name"] or ""),
            Text(one["state"], style=_COLOURS.get(one["state"], "")),
            Text((one["created_at"] or "")[:16].replace("T", " ")),
            Text(str(one["documents"])),
            Text(str(settled(one))),
            Text(str(failed), style="red" if failed else ""),
            Text(one["batch_id"], style="dim"),
        )
    return made


def show_one(gateway: Gateway, batch_id: str, *, watch: bool, as_json: bool) -> None:
    """Print a batch; with `watch` follow it first, and exit with 1 if documents failed.

    Raises:
        Failure: there is no such batch, or the gateway does not answer.
    """
    if watch:
        with progress(console(), silent=as_json) as shown:
            batch = follow(gateway, batch_id, shown)
    else:
        batch = gateway.call("GET", f"/v1/batches/{batch_id}")
    if as_json:
        print_json(batch)
    else:
        _print(console(), batch)
    if watch and not went_well(batch):
        raise typer.Exit(1)


def change(gateway: Gateway, batch_id: str, verb: str, *, as_json: bool) -> None:
    """Close, cancel or retry a batch, and print how it stands then.

    Raises:
        Failure: it cannot be done, or the gateway does not answer.
    """
    answer = gateway.followed(gateway.call("POST", f"/v1/batches/{batch_id}/{verb}"))
    problem = answer.get("problem")
    if problem:
        raise Failure(f"{problem['detail']} ({problem['code']})")
    show_one(gateway, batch_id, watch=False, as_json=as_json)


def results(gateway: Gateway, batch_id: str, kind: str, target: Path | None) -> None:
    """Write the results of a batch into a file, or to standard output.

    Raises:
        Failure: there is no such batch, or the answer did not come to its end.
    """
    path = f"/v1/batches/{batch_id}/results?format={kind}"
    gateway.download(path, target or sys.stdout.buffer)


def _print(shown: Console, batch: Json) -> None:
    name = f" {batch['name']}" if batch["name"] else ""
    shown.print(Text(f"batch{name}: {batch['state']}", style="bold"), soft_wrap=True)
    counts = ", ".join(f"{count} {state}" for state, count in batch["counts"].items() if count)
    shown.print(f"{batch['documents']} documents: {counts or 'none'}")
    if batch["listing"]:
        shown.print("more documents are being found, or failed ones sent again")
    if batch["by_type"]:
        types = ", ".join(f"{count} {name}" for name, count in batch["by_type"].items())
        shown.print(f"types: {types}", markup=False, soft_wrap=True)
    if text := outlook(batch):
        shown.print(text)
    print_failures(shown, batch)
