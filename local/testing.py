"""Running a command, such as the tests or a benchmark, against servers made for it alone."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from local import estate, ports
from local.environment import LocalSettings, inherited
from local.program import Program, always
from local.running import bring_up
from local.session import first_problem, supervised


async def run_with_servers(
    command: tuple[str, ...], say: Callable[[str], None], *, product: bool, durable: bool
) -> int:
    """Start servers on free ports with empty data, run a command, end and delete all.

    Args:
        command: what to run; it gets the addresses by environment.
        say: prints a line of progress.
        product: whether the product itself runs too.
        durable: whether Postgres flushes to disk, as where data is to be kept.

    Returns: its exit code.

    Raises:
        Obstacle: the servers could not be had.
    """
    state = Path(tempfile.mkdtemp(prefix="actionstream-"))
    planned = estate.plan(
        state, ports.free(), LocalSettings(), throwaway=not durable
    ).with_model_server()
    try:
        async with supervised(planned, say) as supervisor:
            say("the servers are ready")
            if product:
                await bring_up(supervisor, planned, say)
            program = Program(
                name="command",
                argv=command,
                env=inherited() | planned.variables,
                cwd=Path.cwd(),
                ready=always,
            )
            with first_problem():
                async with asyncio.TaskGroup() as group:
                    watch = group.create_task(supervisor.failed())
                    code = await supervisor.perform(program)
                    watch.cancel()
            return code
    finally:
        shutil.rmtree(planned.places.data, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)
