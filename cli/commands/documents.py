"""Documents: put them in, look at them, watch them, delete them."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Put documents in and see what became of them.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
DocumentId = Annotated[str, typer.Argument(metavar="ID", help="Id of the document.")]


@app.command()
def add(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH…", help="A folder, which becomes a batch, or files."),
    ],
    *,
    type_: Annotated[
        str | None, typer.Option("--type", help="Their type, if you know it; else it is found.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title; only with a single file.")] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Your own data; may be given more than once."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow them until they are worked off.")
    ] = True,
    recursive: Annotated[
        bool, typer.Option("--recursive/--no-recursive", help="Take the folders within too.")
    ] = True,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Of a folder only these; may be given more than once."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Of a folder not these; may be given more than once."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Of a folder send what is in already, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Upload a folder as a batch, or files, and follow them; exit code 1 if any failed.

    A folder's upload that was interrupted is gone on with by the same command.
    """
    from cli import adding, batching
    from cli.client import connect
    from cli.folder import Choice

    options = adding.Options(type_=type_, title=title, metadata=tuple(metadata or ()))
    choice = Choice(recursive, tuple(include or ()), tuple(exclude or ()))
    with connect() as gateway:
        if len(paths) == 1 and paths[0].is_dir():
            plan = batching.Plan(choice, options.defaults(), again=again, wait=wait)
            batching.add(gateway, paths[0], plan, as_json=as_json)
        else:
            adding.add(gateway, paths, options, wait=wait, as_json=as_json)


@app.command()
def show(document_id: DocumentId, *, as_json: AsJson = False) -> None:
    """Show a document: state, timeline, type, and fields with their confidence."""
    from cli import showing
    from cli.client import connect

    with connect() as gateway:
        showing.show(gateway, document_id, as_json=as_json)


@app.command()
def watch(
    document_ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of documents.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Follow documents live until all have ended; exit code 1 if any failed."""
    from cli import showing
    from cli.client import connect

    with connect() as gateway:
        showing.watch(gateway, document_ids, as_json=as_json)


@app.command()
def delete(document_id: DocumentId) -> None:
    """Delete a document and everything that was made of it."""
    from cli import showing
    from cli.client import connect

    with connect() as gateway:
        showing.delete(gateway, document_id)
