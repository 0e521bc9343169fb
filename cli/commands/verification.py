"""Whether the stores agree, and mending them where they do not."""

from typing import Annotated

import typer


def verify(
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended safely, and say how.")
    ] = False,
    every: Annotated[
        bool,
        typer.Option("--all", help="List also what may be work in flight, and is no difference."),
    ] = False,
    margin_s: Annotated[
        float, typer.Option("--margin", min=0, help="Work that moved in so many seconds is well.")
    ] = 60,
    patience_s: Annotated[
        float,
        typer.Option("--patience", min=0, help="Seconds to wait for records in flight, at most."),
    ] = 30,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines for machines, one a difference.")
    ] = False,
) -> None:
    """Compare Postgres, ledger, search index and object store, and list every difference.

    What is found is looked at again two seconds later, and counts once the topics that could still
    change it were worked off. Exit code 0: all agree; 1: something differs; 2: not comparable.
    """
    from datetime import timedelta

    from cli import verifying
    from cli.settings import load
    from streams.settings import Settings
    from streams.verify import Pace

    pace = Pace(margin=timedelta(seconds=margin_s), patience=timedelta(seconds=patience_s))
    page = verifying.page(as_json=as_json, every=every)
    verifying.verify(load(Settings), pace, page, repair=repair)
