"""Running a command that ends by itself, such as one that formats a data folder."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from local.errors import Obstacle

_TAIL_LINES = 15


async def run(
    argv: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path,
    uid: int | None = None,
    given: bytes = b"",
) -> str:
    """Run a command to its end.

    Args:
        argv: the command.
        env: its whole environment.
        cwd: its working folder.
        uid: the user that it runs as, None for this one.
        given: its standard input.

    Returns: what it printed.

    Raises:
        Obstacle: it failed; the message ends with what it printed last.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=dict(env),
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )
    try:
        printed, _ = await process.communicate(given)
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    output = printed.decode(errors="replace")
    if process.returncode:
        tail = "\n".join(output.splitlines()[-_TAIL_LINES:])
        raise Obstacle(f"`{Path(argv[0]).name}` failed ({process.returncode}):\n{tail}")
    return output
