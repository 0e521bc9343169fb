"""What an installation is: its version, its settings, and its generated documents."""

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Show the settings that hold.")


class Role(StrEnum):
    """Who has settings."""

    GATEWAY = "gateway"
    WORKER = "worker"
    DELAY = "delay"
    BACKUP = "backup"
    CLI = "cli"


@app.callback()
def config() -> None:
    """Show the settings that hold."""


@app.command()
def show(
    *,
    role: Annotated[Role, typer.Option(help="Whose settings.")] = Role.WORKER,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Show every setting of a role with its value; secrets are masked."""
    from cli import configuration

    configuration.show(role.value, as_json=as_json)


def version() -> None:
    """Show the version of this installation."""
    from importlib.metadata import version as installed

    print(installed("actionstream"))


def docs() -> None:
    """Write the generated documents again: OpenAPI, AsyncAPI, and the reference pages."""
    from cli import reference

    changed = reference.write()
    for path in changed:
        print(f"written: {path}")
    if not changed:
        print("all generated documents agree with the code")


def doctor(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False
) -> None:
    """Check every server, model and setting; say what is wrong and what to do, with exit code 1."""
    from cli.doctor import run

    run(as_json=as_json)
