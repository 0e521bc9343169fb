"""Keys of GPTs: made, listed, rotated, revoked; and the first one that administers."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make and end the keys that open GPTs.")

Gpt = Annotated[str, typer.Argument(metavar="GPT", help="Id of the GPT.")]
KeyId = Annotated[
    str, typer.Argument(metavar="KEY", help="Id of the key: the third part of its text.")
]
Expires = Annotated[
    str | None,
    typer.Option(help="When it ends: 2027-11-21, 2027-11-21T08:00Z, or in 12h, 90d."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def create(
    gpt_id: Gpt,
    *,
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, write, or of one collection, read:diary; both without it."),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="The one end user whose rows it sees and writes.")
    ] = None,
    rate_limits: Annotated[
        str | None, typer.Option(help="Its own limits, such as key:600/m,write:60/m.")
    ] = None,
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once: it is kept nowhere and cannot be shown again."""
    from cli import keys
    from cli.client import administer

    given = {
        "name": name,
        "scopes": scope or None,
        "subject": subject,
        "rate_limits": rate_limits,
        "expires_at": keys.ahead(expires),
    }
    with administer() as gateway:
        keys.create(gateway, gpt_id, given, as_json=as_json)


@app.command("list")
def list_(gpt_id: Gpt, *, as_json: AsJson = False) -> None:
    """List the keys of a GPT with their last use, oldest first; ended ones too."""
    from cli import keys
    from cli.client import administer

    with administer() as gateway:
        keys.show_list(gateway, gpt_id, as_json=as_json)


@app.command()
def rotate(
    gpt_id: Gpt,
    key_id: KeyId,
    *,
    overlap: Annotated[
        str, typer.Option(help="How long the old key is taken too: 0, 30m, 1h, 7d.")
    ] = "1h",
    expires: Expires = None,
    rate_limits: Annotated[
        str | None, typer.Option(help="Limits of the new key; the old one's without it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key in the place of another one, and print it, once."""
    from cli import keys
    from cli.client import administer

    given = {
        "overlap_s": keys.seconds(overlap),
        "expires_at": keys.ahead(expires),
        "rate_limits": rate_limits,
    }
    with administer() as gateway:
        keys.rotate(gateway, gpt_id, key_id, given, as_json=as_json)


@app.command()
def revoke(
    gpt_id: Gpt,
    key_id: KeyId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a key for good; every gateway refuses it within a second."""
    from cli import keys
    from cli.client import administer

    with administer() as gateway:
        keys.revoke(gateway, gpt_id, key_id, ask=not yes, as_json=as_json)


@app.command()
def bootstrap(
    *,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "the first administrator",
    force: Annotated[
        bool, typer.Option("--force", help="Although a key that administers is there.")
    ] = False,
) -> None:
    """Make the first key that administers, straight in the database, and print it, once."""
    import asyncio

    from cli.bootstrapping import bootstrap as made
    from cli.settings import load
    from streams.settings import Settings

    asyncio.run(made(load(Settings), name, force=force))
