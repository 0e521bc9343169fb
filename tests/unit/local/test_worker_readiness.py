"""Whether a worker works, as its log tells."""

import json
import os
from pathlib import Path

from local.readiness import worker_works

DEAD = 2**22 + 1


def event(name: str, pid: int) -> str:
    """Returns: a line as a worker logs it."""
    return json.dumps({"event": name, "owner": f"machine:{pid}"}) + "\n"


async def test_a_worker_says_that_it_works(tmp_path: Path) -> None:
    """Only after its line, and lines that are no JSON or half written do not matter."""
    log = tmp_path / "worker.log"
    log.write_text("Traceback\n" + event("waiting", os.getpid()))
    assert not await worker_works(log)
    log.write_text(event("working", os.getpid()) + '{"event": "wor')
    assert await worker_works(log)


async def test_a_line_of_a_dead_predecessor_does_not_count(tmp_path: Path) -> None:
    """A worker that was started again is ready by its own line, not by that of the one before."""
    log = tmp_path / "worker.log"
    log.write_text(event("working", DEAD))
    assert not await worker_works(log)
    log.write_text(event("working", DEAD) + event("working", os.getpid()))
    assert await worker_works(log)


async def test_a_worker_that_stops_works_no_more(tmp_path: Path) -> None:
    """Its farewell ends its readiness."""
    log = tmp_path / "worker.log"
    log.write_text(event("working", os.getpid()) + event("stopping", os.getpid()))
    assert not await worker_works(log)
