"""Backups: make, list, check, restore and prune them, and see that they can be restored."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make, check and restore backups of the database.")

Name = Annotated[
    str | None, typer.Argument(help="The backup; the newest good one if absent.", metavar="NAME")
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def create(*, as_json: AsJSON = False) -> None:
    """Make a backup of the database, read it back and compare it.

    Exit code 1: it could not be made, and nothing of it is left; 3: another process makes one.
    """
    from cli import backups
    from cli.settings import load
    from streams.backup.settings import BackupSettings

    backups.create(load(BackupSettings), as_json=as_json)


@app.command("list")
def list_(*, as_json: AsJSON = False) -> None:
    """List the backups, the newest first, with what the last look at each found."""
    from cli import backups
    from cli.settings import load
    from streams.backup.settings import BackupSettings

    backups.show(load(BackupSettings), as_json=as_json)


@app.command()
def verify(
    name: Name = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Verify all of them.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Read a backup from beginning to end and compare it with its manifest.

    What is found is noted beside it, and counts when backups are pruned. Exit code 0: good; 1: one
    is bad; 2: it could not be found out.
    """
    from cli import backups
    from cli.settings import load
    from streams.backup.settings import BackupSettings

    if every and name is not None:
        raise typer.BadParameter("name one backup, or say --all")
    backups.verify(load(BackupSettings), name, every=every, as_json=as_json)


@app.command()
def restore(
    name: Name = None,
    *,
    into: Annotated[
        str, typer.Option(help="Name of the database to make; one that is there is refused.")
    ],
    revoke_keys: Annotated[
        bool,
        typer.Option(
            "--revoke-keys",
            help="Revoke all keys in it: those that were revoked since the backup would open "
            "again.",
        ),
    ] = False,
    keep_key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="With --revoke-keys: id of a key that stays; repeatable."),
    ] = None,
) -> None:
    """Restore a backup into a new database on the server of the live one."""
    from cli import backups
    from cli.settings import load
    from streams.backup.settings import BackupSettings

    if keep_key and not revoke_keys:
        raise typer.BadParameter("--keep-key goes with --revoke-keys")
    keep = (keep_key or []) if revoke_keys else None
    backups.restore(load(BackupSettings), name, backups.database_name(into), keep)


@app.command()
def prune(*, as_json: AsJSON = False) -> None:
    """Delete backups that are too old and too many, and what is left of unfinished ones.

    A good backup is always left. Exit code 1: it could not be done; 3: another process is at it.
    """
    from cli import backups
    from cli.settings import load
    from streams.backup.settings import BackupSettings

    backups.prune(load(BackupSettings), as_json=as_json)


@app.command()
def drill(name: Name = None, *, as_json: AsJSON = False) -> None:
    """Restore a backup into a scratch database, migrate it, compare the counts, and drop it.

    Exit code 0: all is there; 1: something differs, or the backup is bad; 2: it could not be found
    out; 3: another drill is held.
    """
    from cli import backups
    from cli.settings import load
    from streams.backup.settings import BackupSettings

    backups.drill(load(BackupSettings), name, as_json=as_json)


@app.command()
def schedule() -> None:
    """Make a backup every night and prune, until Ctrl-C or SIGTERM; at once if one was missed."""
    from cli.settings import load
    from streams.backup.schedule import run
    from streams.backup.settings import BackupSettings

    run(load(BackupSettings))
