"""The demonstration: the sample documents through the whole pipeline."""

from typing import Annotated

import typer

from cli.settings import gateway_settings


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

    if clear:
        samples.clear(gateway_settings())
    else:
        samples.run(gateway_settings(), limit_s=limit_s)
