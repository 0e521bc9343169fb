"""GPTs, which are the tenants: made, listed, changed, disabled, deleted."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make and change GPTs, which are the tenants.")

Id = Annotated[str, typer.Argument(metavar="GPT", help="Id of the GPT.")]
Name = Annotated[str | None, typer.Option(help="What people call it.")]
MaxObjects = Annotated[
    str | None,
    typer.Option(metavar="N", help="Most objects that it may have; `default` as all others."),
]
MaxBytes = Annotated[
    str | None,
    typer.Option(metavar="N", help="Most bytes of their bodies; `default` as all others."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def create(
    gpt_id: Annotated[
        str, typer.Argument(metavar="GPT", help="Its id: small letters, digits and hyphens.")
    ],
    *,
    name: Name = None,
    max_objects: MaxObjects = None,
    max_bytes: MaxBytes = None,
    as_json: AsJson = False,
) -> None:
    """Make a GPT; `keys create` then makes the keys that open it."""
    from cli import gpts
    from cli.client import administer

    given = gpts.changes(name, max_objects, max_bytes)
    with administer() as gateway:
        gpts.create(gateway, gpt_id, given, as_json=as_json)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the GPTs, without the deleted ones."""
    from cli import gpts
    from cli.client import administer

    with administer() as gateway:
        gpts.show_list(gateway, as_json=as_json)


@app.command()
def show(gpt_id: Id, *, as_json: AsJson = False) -> None:
    """Show a GPT: its quotas, what it has of them, and whether it is disabled."""
    from cli import gpts
    from cli.client import administer

    with administer() as gateway:
        gpts.show_one(gateway, gpt_id, as_json=as_json)


@app.command()
def update(
    gpt_id: Id,
    *,
    name: Name = None,
    max_objects: MaxObjects = None,
    max_bytes: MaxBytes = None,
    as_json: AsJson = False,
) -> None:
    """Change a GPT's name or quotas; what is left out stays."""
    from cli import gpts
    from cli.client import administer

    given = gpts.changes(name, max_objects, max_bytes)
    with administer() as gateway:
        gpts.change(gateway, "PATCH", gpt_id, body=given, as_json=as_json)


@app.command()
def disable(gpt_id: Id, *, as_json: AsJson = False) -> None:
    """Refuse all keys of a GPT from now on; everything that it has is kept."""
    from cli import gpts
    from cli.client import administer

    with administer() as gateway:
        gpts.change(gateway, "POST", gpt_id, "/disable", as_json=as_json)


@app.command()
def enable(gpt_id: Id, *, as_json: AsJson = False) -> None:
    """Take the keys of a disabled GPT again."""
    from cli import gpts
    from cli.client import administer

    with administer() as gateway:
        gpts.change(gateway, "POST", gpt_id, "/enable", as_json=as_json)


@app.command()
def delete(
    gpt_id: Id,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a GPT's keys and remove all that it has, for good; its id is never given again."""
    from cli import gpts
    from cli.client import administer

    with administer() as gateway:
        gpts.delete(gateway, gpt_id, ask=not yes, as_json=as_json)
