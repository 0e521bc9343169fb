"""Dead letters: what could not be worked off, looked at, sent again or discarded."""

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="See what could not be worked off; send it again or discard it."
)


class State(StrEnum):
    """Whether something was decided on a letter."""

    DEAD = "dead"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


Stage = Annotated[str | None, typer.Option(help="Only of this stage, such as extract.")]
Error = Annotated[str | None, typer.Option(help="Only with this error, as the list names it.")]
Since = Annotated[
    str | None, typer.Option(help="Only since then: 2026-11-21T08:00Z, or 30m, 2h, 7d ago.")
]
Until = Annotated[str | None, typer.Option(help="Only before then, given as for --since.")]
Batch = Annotated[str | None, typer.Option(metavar="ID", help="Only of documents of this batch.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Ids of dead letters.")]
All = Annotated[bool, typer.Option("--all", help="All open ones that fit every condition.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before deciding on all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_(
    *,
    stage: Stage = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    batch: Batch = None,
    state: Annotated[State, typer.Option(help="Open ones, or those decided on.")] = State.DEAD,
    document: Annotated[
        str | None, typer.Option(metavar="ID", help="Only of this document.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most of them, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List dead letters with their reasons, newest first."""
    from cli import letters
    from cli.client import connect

    more = {"state": state.value, "document_id": document, "limit": limit}
    with connect() as gateway:
        letters.show_list(
            gateway, letters.conditions(stage, error, since, until, batch), more, as_json=as_json
        )


@app.command()
def show(
    dead_letter_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the dead letter.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter: what was wrong, and the record as it came."""
    from cli import letters
    from cli.client import connect

    with connect() as gateway:
        letters.show_one(gateway, dead_letter_id, as_json=as_json)


@app.command()
def redrive(
    ids: Ids = None,
    *,
    all_: All = False,
    stage: Stage = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    batch: Batch = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to their stages again: those named, or --all with conditions."""
    from cli import letters
    from cli.client import connect

    given = letters.conditions(stage, error, since, until, batch)
    choice = letters.choice(ids or (), given, all_=all_)
    with connect() as gateway:
        letters.decide(gateway, "redrive", choice, ask=not yes, as_json=as_json)


@app.command()
def discard(
    ids: Ids = None,
    *,
    all_: All = False,
    stage: Stage = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    batch: Batch = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Mark dead letters as not to be sent again: those named, or --all with conditions."""
    from cli import letters
    from cli.client import connect

    given = letters.conditions(stage, error, since, until, batch)
    choice = letters.choice(ids or (), given, all_=all_)
    with connect() as gateway:
        letters.decide(gateway, "discard", choice, ask=not yes, as_json=as_json)
