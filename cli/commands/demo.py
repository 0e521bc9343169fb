"""The demonstration: the sample documents through the whole pipeline."""

from typing import Annotated

import typer


def demo(
    *,
    clear: Annotated[
        bool, typer.Option("--clear", help="Delete the samples instead of adding them.")
    ] = False,
    limit_s: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds to follow the samples.")
    ] = 900,
) -> None:
    """Put the sample documents through, show how they fare and what was found in them."""
    from cli import samples
    from cli.client import connect

    with connect() as gateway:
        if clear:
            samples.clear(gateway)
        else:
            samples.run(gateway, limit_s=limit_s)
