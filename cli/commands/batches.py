"""Batches: look at them, close, cancel and repeat them, get their results."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.states import BatchState

app = typer.Typer(
    no_args_is_help=True,
    help="Batches of documents; `documents add FOLDER` makes them.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
BatchId = Annotated[str, typer.Argument(metavar="ID", help="Id of the batch.")]


class Kind(StrEnum):
    """Formats of results."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command("list")
def list_(
    *,
    state: Annotated[
        list[BatchState] | None, typer.Option(help="In this state; may be given more than once.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most batches to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List batches, newest first, with the counts of their documents."""
    from cli import batches
    from cli.client import connect

    with connect() as gateway:
        batches.show_list(gateway, list(map(str, state or ())), limit, as_json=as_json)


@app.command()
def show(
    batch_id: BatchId,
    *,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Follow it until it has ended; exit code 1 if any failed."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a batch: documents by state and type, failures with reasons, pace, time left."""
    from cli import batches
    from cli.client import connect

    with connect() as gateway:
        batches.show_one(gateway, batch_id, watch=watch, as_json=as_json)


@app.command()
def close(batch_id: BatchId, *, as_json: AsJson = False) -> None:
    """Say that nothing more is added to a batch."""
    from cli import batches
    from cli.client import connect

    with connect() as gateway:
        batches.change(gateway, batch_id, "close", as_json=as_json)


@app.command()
def cancel(batch_id: BatchId, *, as_json: AsJson = False) -> None:
    """Stop a batch: what has not ended is cancelled, the rest stays."""
    from cli import batches
    from cli.client import connect

    with connect() as gateway:
        batches.change(gateway, batch_id, "cancel", as_json=as_json)


@app.command()
def retry(batch_id: BatchId, *, as_json: AsJson = False) -> None:
    """Send the failed documents of a batch again."""
    from cli import batches
    from cli.client import connect

    with connect() as gateway:
        batches.change(gateway, batch_id, "retry", as_json=as_json)


@app.command()
def results(
    batch_id: BatchId,
    *,
    kind: Annotated[
        Kind, typer.Option("--format", help="JSON Lines, or CSV with a column for each field.")
    ] = Kind.JSONL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")
    ] = None,
) -> None:
    """Get all documents of a batch with their fields, as one file."""
    from cli import batches
    from cli.client import connect

    with connect() as gateway:
        batches.results(gateway, batch_id, kind, output)
