"""Runs the chaos suite: `python -m tests.chaos --help`."""

import asyncio
import sys
import time

from local.commands import said
from local.errors import Obstacle
from local.session import stop_on_signals
from tests.chaos.options import parse
from tests.chaos.report import text
from tests.chaos.run import run


async def _main() -> int:
    task = asyncio.current_task()
    if task is not None:
        stop_on_signals(task)
    options = parse(sys.argv[1:])
    report = await run(options, said(time.monotonic()))
    sys.stdout.write(f"\n{text(report)}\nreport, journal and logs: {options.report}\n")
    return 0 if report.clean else 1


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(_main()))
    except Obstacle as obstacle:
        sys.exit(f"error: {obstacle}")
    except asyncio.CancelledError:
        sys.exit("stopped")
