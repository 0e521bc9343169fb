"""The search index: build it anew beside the live one."""

from typing import Annotated

import typer


def reindex(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the old index, unused, instead of deleting it.")
    ] = False,
    abort: Annotated[
        bool, typer.Option("--abort", help="Give up a rebuild that was left, and its index.")
    ] = False,
) -> None:
    """Build the search index anew beside the live one, then swap; goes on where it was stopped.

    Also the way to another embedding model: set it, then run this.
    """
    from cli import reindexing
    from cli.settings import load
    from streams.settings import Settings

    settings = load(Settings)
    if abort:
        reindexing.abort(settings)
    else:
        reindexing.run(settings, keep=keep)
