"""Events: what has happened, and what happens."""

from typing import Annotated

import typer


def events(
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens, until interrupted.")
    ] = False,
    type_: Annotated[
        list[str] | None,
        typer.Option(
            "--type", metavar="TYPE", help="Only these, such as batch.completed or document.*."
        ),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="ID", help="Only of this document, object, ….")
    ] = None,
    batch: Annotated[str | None, typer.Option(metavar="ID", help="Only of this batch.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="After the event of this number, 0 for all that are kept; with --follow what "
            "happens from now on if absent.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each as one line of JSON.")
    ] = False,
) -> None:
    """Show what has happened; with --follow also what happens, through any loss of connection."""
    from cli import happenings
    from cli.client import connect
    from cli.following import Follower
    from cli.settings import gateway_settings

    query = happenings.wanted(type_ or (), subject, batch, since)
    if follow:
        happenings.show(Follower(gateway_settings(), query).events(), as_json=as_json)
        return
    with connect() as gateway:
        happenings.show(happenings.pages(gateway, query), as_json=as_json)
