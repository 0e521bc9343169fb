"""The entry point: one command, with a subcommand for each role and tool.

Nothing heavy is imported here, so that `--help` answers at once.
"""

from typing import Any

import typer
from typer.core import TyperGroup

from cli.commands import (
    about,
    backup,
    batches,
    dead_letters,
    demo,
    documents,
    events,
    gpts,
    index,
    keys,
    replay,
    reviews,
    roles,
    search,
    topics,
    transfer,
    verification,
    webhooks,
)
from cli.errors import sentences


class Commands(TyperGroup):
    """All commands; their expected failures become sentences in one place."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - a class that Typer keeps to itself
        """Run the chosen command."""
        with sentences():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Documents in, answers out: an event-driven backend on Kafka.",
)


@app.callback()
def main() -> None:
    """Documents in, answers out: an event-driven backend on Kafka."""


app.command()(roles.gateway)
app.command()(roles.worker)
app.command()(roles.delay)
app.command()(roles.migrate)
app.add_typer(topics.app, name="topics")
app.add_typer(documents.app, name="documents")
app.add_typer(batches.app, name="batches")
app.command()(events.events)
app.add_typer(reviews.app, name="reviews")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(gpts.app, name="gpts")
app.add_typer(keys.app, name="keys")
app.command()(verification.verify)
app.command()(replay.replay)
app.add_typer(backup.app, name="backup")
app.command()(transfer.export)
app.command("import")(transfer.import_)
app.command()(index.reindex)
app.command()(search.search)
app.command()(demo.demo)
app.add_typer(about.app, name="config")
app.command()(about.doctor)
app.command()(about.version)
app.command(hidden=True)(about.docs)
