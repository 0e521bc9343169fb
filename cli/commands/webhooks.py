"""Webhooks: endpoints to which events are delivered, and what was delivered."""

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Have events delivered to endpoints, and see what came of it."
)


class State(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"


Id = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id of the webhook.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Ids of deliveries.")]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event", help="Type of events: batch.completed, or document.*; may be repeated."
    ),
]
Description = Annotated[str | None, typer.Option(help="What it is for.")]
Since = Annotated[
    str | None, typer.Option(help="Only since then: 2026-11-21T08:00Z, or 30m, 2h, 7d ago.")
]
Until = Annotated[str | None, typer.Option(help="Only before then, given as for --since.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def create(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where events are sent; https.")],
    *,
    event: Events = None,
    description: Description = None,
    as_json: AsJson = False,
) -> None:
    """Make an endpoint and print its secret, once; it gets all events without --event."""
    from cli import webhooks
    from cli.client import connect

    with connect() as gateway:
        given = {"url": url, "events": event, "description": description}
        webhooks.create(gateway, given, as_json=as_json)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the endpoints, oldest first."""
    from cli import webhooks
    from cli.client import connect

    with connect() as gateway:
        webhooks.show_list(gateway, as_json=as_json)


@app.command()
def show(webhook_id: Id, *, as_json: AsJson = False) -> None:
    """Show an endpoint: what it gets, whether it fails, and how much waits for it."""
    from cli import webhooks
    from cli.client import connect

    with connect() as gateway:
        webhooks.show_one(gateway, webhook_id, as_json=as_json)


@app.command()
def update(
    webhook_id: Id,
    *,
    url: Annotated[str | None, typer.Option(help="Where events are sent from now on.")] = None,
    event: Events = None,
    description: Description = None,
    as_json: AsJson = False,
) -> None:
    """Change an endpoint; what is left out stays."""
    from cli import webhooks
    from cli.client import connect

    with connect() as gateway:
        given = {"url": url, "events": event, "description": description}
        webhooks.change(gateway, webhook_id, given, as_json=as_json)


@app.command()
def pause(webhook_id: Id, *, as_json: AsJson = False) -> None:
    """Deliver nothing to an endpoint from now on; its events wait."""
    from cli import webhooks
    from cli.client import connect

    with connect() as gateway:
        webhooks.change(gateway, webhook_id, {"state": "paused"}, as_json=as_json)


@app.command()
def resume(webhook_id: Id, *, as_json: AsJson = False) -> None:
    """Deliver to an endpoint again, first what has waited."""
    from cli import webhooks
    from cli.client import connect

    with connect() as gateway:
        webhooks.change(gateway, webhook_id, {"state": "active"}, as_json=as_json)


@app.command()
def delete(
    webhook_id: Id,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove an endpoint; what has waited is not delivered."""
    from cli import webhooks
    from cli.client import connect

    with connect() as gateway:
        webhooks.delete(gateway, webhook_id, ask=not yes, as_json=as_json)


@app.command("rotate-secret")
def rotate_secret(
    webhook_id: Id,
    *,
    overlap: Annotated[
        str, typer.Option(help="For how long the old secret signs too: 30m, 24h, 7d, or 0.")
    ] = "24h",
    as_json: AsJson = False,
) -> None:
    """Give an endpoint a new secret and print it, once."""
    from cli import keys, webhooks
    from cli.client import connect

    with connect() as gateway:
        webhooks.rotate(gateway, webhook_id, keys.seconds(overlap), as_json=as_json)


@app.command("test")
def send_test(webhook_id: Id, *, as_json: AsJson = False) -> None:
    """Send a test to an endpoint and say what came of it; exit with 1 if it was not taken."""
    from cli import webhooks
    from cli.client import connect

    with connect() as gateway:
        webhooks.send_test(gateway, webhook_id, as_json=as_json)


@app.command()
def deliveries(
    webhook_id: Id,
    *,
    state: Annotated[State | None, typer.Option(help="Only in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most of them, latest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what was sent to an endpoint, latest event first, with what it answered."""
    from cli import webhooks
    from cli.client import connect

    query = {"state": None if state is None else state.value, "limit": limit}
    with connect() as gateway:
        webhooks.show_deliveries(gateway, webhook_id, query, as_json=as_json)


@app.command()
def redeliver(
    webhook_id: Id,
    ids: Ids = None,
    *,
    since: Since = None,
    until: Until = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Of a time: delivered ones too, not only failed ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send deliveries again: those named, or those of a time that failed."""
    from cli import webhooks
    from cli.client import connect

    with connect() as gateway:
        webhooks.redeliver(
            gateway, webhook_id, ids or [], since, until, everything=everything, as_json=as_json
        )
