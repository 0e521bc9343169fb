"""Reviews: documents that need a person, and deciding on them."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

app = typer.Typer(
    no_args_is_help=True, help="Documents whose fields the machine is not sure of; decide on them."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
ReviewId = Annotated[str, typer.Argument(metavar="ID", help="Id of the document.")]
Note = Annotated[str | None, typer.Option(help="Kept with the decision.")]


@app.command("list")
def list_(
    *,
    type_name: Annotated[
        str | None, typer.Option("--type", help="Only documents of this type.")
    ] = None,
    batch: Annotated[str | None, typer.Option(metavar="ID", help="Only of this batch.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most of them.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List documents that need a person, least sure first, with their least sure fields."""
    from cli import reviewing
    from cli.client import connect

    with connect() as gateway:
        reviewing.show_list(gateway, type_name, batch, limit, as_json=as_json)


@app.command()
def show(review_id: ReviewId, *, as_json: AsJson = False) -> None:
    """Show what the machine found in a document, least sure first, and where it stands."""
    from cli import reviewing
    from cli.client import connect

    with connect() as gateway:
        reviewing.show_one(gateway, review_id, as_json=as_json)


@app.command()
def accept(review_id: ReviewId, *, note: Note = None, as_json: AsJson = False) -> None:
    """Say that all that was found is right."""
    _decide(review_id, "accept", note, {}, as_json=as_json)


@app.command()
def correct(
    review_id: ReviewId,
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE…", help="True values; `total=` says there is none."),
    ] = None,
    *,
    type_name: Annotated[str | None, typer.Option("--type", help="Its true type.")] = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Say what is true in place of what was found; all the rest was right."""
    from cli.reviewing import corrected

    body = {"fields": corrected(changes or ()), "type": type_name}
    _decide(review_id, "correct", note, body, as_json=as_json)


@app.command()
def reject(review_id: ReviewId, *, note: Note = None, as_json: AsJson = False) -> None:
    """Say that nothing that was found is of use; the document stays, without fields."""
    _decide(review_id, "reject", note, {}, as_json=as_json)


def _decide(
    review_id: str, decision: str, note: str | None, body: Mapping[str, Any], *, as_json: bool
) -> None:
    from cli import reviewing
    from cli.client import connect

    with connect() as gateway:
        reviewing.decide(
            gateway, review_id, {"decision": decision, "note": note, **body}, as_json=as_json
        )
