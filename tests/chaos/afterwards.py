"""What the product is asked to do in the end: send again what gave up, compare its stores."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from local.environment import inherited
from local.places import PROJECT
from tests.chaos.truth import Finding

COMMAND = str(Path(sys.executable).with_name("actionstream"))


async def redrive(variables: Mapping[str, str], error: str) -> list[Finding]:
    """Send all records again that ended with an error whose cause is mended now."""
    choice = ("--all", "--yes", "--error", error)
    code, printed = await _actionstream(variables, "dead-letters", "redrive", *choice)
    return [Finding("wrong", f"redrive ended with {code}: {printed}")] if code else []


async def verify(variables: Mapping[str, str]) -> list[Finding]:
    """Returns: every difference between the stores that the product finds itself."""
    code, printed = await _actionstream(variables, "verify", "--json", "--margin", "0")
    found = [
        Finding("differs", json.dumps(json.loads(line), sort_keys=True))
        for line in printed.splitlines()
        if line.startswith("{")
    ]
    return found if found or not code else [Finding("differs", f"verify: {code}: {printed}")]


async def _actionstream(variables: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        env=inherited() | dict(variables),
        cwd=PROJECT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode(errors="replace")
