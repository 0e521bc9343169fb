"""The commands of `python -m local`: what the Makefile calls."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from local import estate, ports, running
from local import status as overview
from local.environment import LocalSettings
from local.errors import Obstacle
from local.places import PROJECT
from local.session import stop_on_signals, supervised
from local.testing import run_with_servers

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
STATE = PROJECT / ".actionstream"
Instance = Annotated[
    str | None, typer.Option(help="One that `up --name` started; `make run` if absent.")
]


def said(began: float) -> Callable[[str], None]:
    """Returns: a function that prints a line with the seconds since `began`."""

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {line}", flush=True)

    return say


def carry_out(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command until it ends or is interrupted; an obstacle is a sentence and exit code 1."""

    async def until_stopped() -> None:
        task = asyncio.create_task(work())
        stop_on_signals(task)
        await task

    try:
        with sentences():
            asyncio.run(until_stopped())
    except asyncio.CancelledError:
        print("stopped", flush=True)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Print an obstacle as one sentence, without a traceback, and end with exit code 1."""
    try:
        yield
    except Obstacle as obstacle:
        print(f"error: {obstacle}", file=sys.stderr, flush=True)
        raise typer.Exit(1) from None


@app.callback()
def local() -> None:
    """Run the real servers on this machine, without containers."""
    # The servers may run as another user than who fetches and prepares their files; secrets are
    # written with a mode of their own.
    os.umask(0o022)


@app.command()
def up(
    name: Annotated[str, typer.Option(help="Name of the instance; it has its own data.")] = "dev",
    port_base: Annotated[int, typer.Option(help="First of its ports.")] = 20080,
) -> None:
    """Start only the servers, print their addresses, and stay up until Ctrl-C."""

    async def work() -> None:
        say = said(time.monotonic())
        planned = estate.plan(state_of(name), ports.from_base(port_base), LocalSettings())
        async with supervised(planned, say) as supervisor:
            say("all servers are ready")
            for variable, value in planned.variables.items():
                if not variable.endswith(("_KEY", "_PASSWORD", "_SECRET", "DATABASE_URL")):
                    print(f"  {variable}={value}")
            print(f"environment: source {planned.places.state / 'env'}", flush=True)
            await supervisor.failed()

    carry_out(work)


@app.command()
def run() -> None:
    """Run everything: servers, models, gateway, workers, the sample documents; until Ctrl-C."""

    async def work() -> None:
        await running.run(STATE, said(time.monotonic()))

    carry_out(work)


@app.command("test", context_settings={"ignore_unknown_options": True})
def with_servers(
    command: Annotated[list[str], typer.Argument(help="What to run, after `--`.")],
    *,
    product: Annotated[bool, typer.Option(help="Also start the product itself.")] = False,
    durable: Annotated[
        bool, typer.Option("--durable", help="Let Postgres flush to disk, as for measures.")
    ] = False,
) -> None:
    """Run a command with servers of its own, on free ports and with empty data."""
    codes: list[int] = []

    async def work() -> None:
        say = said(time.monotonic())
        found = await run_with_servers(tuple(command), say, product=product, durable=durable)
        codes.append(found)

    carry_out(work)
    raise typer.Exit(codes[0] if codes else 1)


@app.command()
def fetch() -> None:
    """Bring all servers into the cache without starting any."""
    planned = estate.plan(STATE, ports.from_base(LocalSettings().port_base), LocalSettings())
    with sentences():
        planned.fetch(said(time.monotonic()))


@app.command()
def status(instance: Instance = None) -> None:
    """Show what runs: process, state, port, time, memory."""
    overview.show(state_of(instance), Console())


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="One program; all if absent.")] = None,
    lines: Annotated[int, typer.Option(help="Lines from the end of each log.")] = 20,
    instance: Instance = None,
) -> None:
    """Print the ends of the logs."""
    with sentences():
        overview.tail(state_of(instance), name, lines, Console())


@app.command()
def reset(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    instance: Instance = None,
) -> None:
    """Stop the run and delete its documents, indexes, backups, secrets and logs."""
    state = state_of(instance)
    if not yes:
        typer.confirm(f"Stop the run and delete all data, secrets and logs of {state}?", abort=True)
    with sentences():
        places = overview.reset(state, LocalSettings().cache)
    print(f"deleted; the downloads stay in {places.cache}")


def state_of(instance: str | None) -> Path:
    """Returns: the folder of an instance that `up` started, or of `make run`."""
    return STATE if instance is None else STATE / "instances" / instance
