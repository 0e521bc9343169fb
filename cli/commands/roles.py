"""The roles, gateway, worker and delay, and the command that prepares the servers for them."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer


class Stages(StrEnum):
    """Sets of stages that one worker can run."""

    ALL = "all"
    INTAKE = "intake"
    MODELS = "models"
    RECORDS = "records"
    OBJECTS = "objects"
    WEBHOOKS = "webhooks"


def gateway() -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM."""
    from cli.settings import load
    from gateway.app import serve
    from gateway.settings import GatewaySettings

    serve(load(GatewaySettings))


def worker(
    *,
    stages: Annotated[
        Stages, typer.Option(help="Which stages this worker runs; all, or one deployable set.")
    ] = Stages.ALL,
) -> None:
    """Work through the records of the topics until Ctrl-C or SIGTERM."""
    from cli.settings import load
    from streams.app import run
    from streams.settings import Settings

    run(load(Settings), stages.value)


def delay() -> None:
    """Hold records between attempts and return each when it is due, until Ctrl-C or SIGTERM."""
    from cli.settings import load
    from streams.delay.app import run
    from streams.settings import ConsumerSettings

    run(load(ConsumerSettings))


def migrate(
    *,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds to wait for the servers.")
    ] = 60,
) -> None:
    """Bring tables, roles, bucket and search index to this version; wait for their servers."""
    from cli.migration import prepare
    from cli.settings import load
    from streams.settings import Settings

    asyncio.run(prepare(load(Settings), timeout_s))
