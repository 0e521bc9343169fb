"""Replay: stages run again over documents that are stored."""

from enum import StrEnum
from typing import Annotated

import typer


class Stage(StrEnum):
    """The first stage of the new runs."""

    PARSE = "parse"
    CLASSIFY = "classify"
    EXTRACT = "extract"
    INDEX = "index"


class Ended(StrEnum):
    """How a document's latest run ended."""

    COMPLETED = "completed"
    FAILED = "failed"


def replay(
    *,
    stage: Annotated[Stage, typer.Option(help="First stage to run; what is before it is kept.")],
    since: Annotated[
        str | None, typer.Option(help="Documents taken in since: 2026-11-01, with a time, or 3d.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Documents taken in before then.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Documents of this type.")] = None,
    status: Annotated[
        Ended | None, typer.Option(help="Documents that ended so; both where absent.")
    ] = None,
    document: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="This document; may be given more than once."),
    ] = None,
    per_second: Annotated[int, typer.Option(min=1, max=1000, help="Documents a second.")] = 20,
    name: Annotated[
        str | None,
        typer.Option("--id", help="The replay's id; with that of an earlier one, it goes on."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many documents it would be.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow the documents until all have ended.")
    ] = True,
) -> None:
    """Run stages again over stored documents, as new runs; exit code 1 if any failed.

    Earlier runs are kept. A repeat with the same --id begins nothing twice.
    """
    from cli import replaying
    from cli.settings import load
    from streams.settings import Settings

    choice = replaying.choice(
        since=since,
        until=until,
        type_=type_,
        status=None if status is None else status.value,
        documents=tuple(document or ()),
    )
    wanted = replaying.Wanted(
        stage=stage.value, choice=choice, per_second=per_second, name=replaying.named(name)
    )
    settings = load(Settings)
    if dry_run:
        replaying.count(settings, wanted)
    else:
        replaying.run(settings, wanted, ask=not yes, wait=wait)
