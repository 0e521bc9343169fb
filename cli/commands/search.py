"""Search: find documents and objects by words and by meaning."""

from enum import StrEnum
from typing import Annotated

import typer


class Mode(StrEnum):
    """How a search finds."""

    HYBRID = "hybrid"
    KEYWORD = "keyword"
    SEMANTIC = "semantic"


def search(
    query: Annotated[str, typer.Argument(help="What to look for: words, or a question.")],
    *,
    mode: Annotated[Mode, typer.Option(help="By words, by meaning, or both.")] = Mode.HYBRID,
    within: Annotated[
        list[str] | None,
        typer.Option(
            "--in",
            help="Where to look: documents (the default), collections/NAME or collections; "
            "repeatable.",
        ),
    ] = None,
    where: Annotated[
        str | None, typer.Option(help='Conditions as JSON, such as {"type": "invoice"}.')
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="Most hits.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Find documents and objects by words and by meaning, with the passages that match."""
    from cli import finding
    from cli.client import connect

    places = tuple(within or ())
    wanted = finding.Wanted(query, mode.value, where, limit, places)
    with connect() as gateway:
        finding.find(gateway, wanted, as_json=as_json)
