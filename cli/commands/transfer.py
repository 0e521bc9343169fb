"""Export and import: a tenant as a folder of JSON Lines and files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Part(StrEnum):
    """What of a folder is imported."""

    COLLECTIONS = "collections"
    DOCUMENTS = "documents"


Gpt = Annotated[
    str | None,
    typer.Option("--gpt", metavar="ID", help="The key's GPT; ACTIONSTREAM_GPT_ID if absent."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    *,
    gpt: Gpt = None,
    as_json: AsJson = False,
) -> None:
    """Write all that the key's GPT has into a folder; a repeat goes on where one stopped.

    Exit code 1: the gateway does not answer, or a document's file could not be had.
    """
    from cli.client import Gateway
    from cli.settings import TenantSettings, load
    from cli.transfer import exporting

    settings = load(TenantSettings)
    with Gateway(settings) as gateway:
        exporting.export(gateway, gpt or settings.gpt_id, folder, as_json=as_json)


def import_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What an export made.")],
    *,
    gpt: Gpt = None,
    only: Annotated[Part | None, typer.Option(help="Import only these.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Import anew what was imported into this GPT before.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the folder and say what would be imported.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring an export into the key's GPT; a repeat goes on where one stopped and doubles nothing.

    Exit code 1: the folder is torn, the gateway does not answer, or something was refused.
    """
    from cli.client import Gateway
    from cli.settings import TenantSettings, load
    from cli.transfer import importing

    options = importing.Options(
        only=None if only is None else only.value, again=again, as_json=as_json
    )
    if dry_run:
        importing.preview(folder, options)
        return
    settings = load(TenantSettings)
    with Gateway(settings) as gateway:
        importing.bring_in(gateway, gpt or settings.gpt_id, folder, options)
