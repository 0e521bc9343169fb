"""The commands of `python -m local`: what the Makefile calls."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from local import estate, ports
from local.environment import LocalSettings
from local.errors import Obstacle
from local.places import PROJECT
from local.session import stop_on_signals, supervised

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
STATE = PROJECT / ".actionstream"


def said(began: float) -> Callable[[str], None]:
    """Returns: a function that prints a line with the seconds since `began`."""

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {line}", flush=True)

    return say


def carry_out(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command until it ends or is interrupted; an obstacle is one sentence and exit code 1."""

    async def until_stopped() -> None:
        task = asyncio.create_task(work())
        stop_on_signals(task)
        await task

    try:
        asyncio.run(until_stopped())
    except asyncio.CancelledError:
        print("stopped", flush=True)
    except Obstacle as obstacle:
        print(f"error: {obstacle}", file=sys.stderr, flush=True)
        raise typer.Exit(1) from None


@app.callback()
def local() -> None:
    """Run the real servers on this machine, without containers."""


@app.command()
def up(
    name: Annotated[str, typer.Option(help="Name of the instance; it has its own data.")] = "dev",
    port_base: Annotated[int, typer.Option(help="First of its ports.")] = 20080,
) -> None:
    """Start only the servers, print their addresses, and stay up until Ctrl-C."""

    async def work() -> None:
        say = said(time.monotonic())
        planned = estate.plan(
            STATE / "instances" / name, ports.from_base(port_base), LocalSettings()
        )
        async with supervised(planned, say) as supervisor:
            say("all servers are ready")
            for variable, value in planned.variables.items():
                if not variable.endswith(("_KEY", "_PASSWORD", "_SECRET", "DATABASE_URL")):
                    print(f"  {variable}={value}")
            print(f"environment: source {planned.places.state / 'env'}", flush=True)
            await supervisor.failed()

    carry_out(work)
