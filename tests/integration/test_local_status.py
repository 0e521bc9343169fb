"""What is told of a run from outside, and its end."""

import asyncio
import io
import os
import time
from pathlib import Path

import pytest
from rich.console import Console

from local import record, status
from local.errors import Obstacle
from local.record import Entry, State

MIB = 1024**2


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Returns: the state folder of a run with two logs."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "kafka.log").write_text("one\ntwo\nthree\n")
    (tmp_path / "logs" / "worker-1.log").write_text("[red]four\n")
    return tmp_path


def printed(console: Console) -> str:
    """Returns: what was printed on a console that writes to memory."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def console() -> Console:
    """Returns: a console that writes to memory."""
    return Console(file=io.StringIO(), width=200)


def test_nothing_runs(tmp_path: Path, console: Console) -> None:
    """Without a run the way to start one is told."""
    status.show(tmp_path, console)
    assert printed(console) == "nothing runs; start it with `make run`\n"


async def test_memory_is_that_of_the_whole_family() -> None:
    """A program's memory includes its children's."""
    own = Entry("me", State.READY, os.getpid(), 1, time.time(), 0)
    alone = status.memory(own)
    child = await asyncio.create_subprocess_exec(
        *("python3", "-c", f"x = b'x' * {64 * MIB}; print(flush=True); input()"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    await child.stdout.readline()
    together = status.memory(own)
    await child.communicate(b"\n")
    assert together > alone + 60 * MIB


def test_a_dead_run_shows_stopped_programs(state: Path, console: Console) -> None:
    """After the supervisor's death nothing is shown as running, whatever the record says."""
    record.write(state, [Entry("kafka", State.READY, 2**22 + 1, 9, 1.0, 0)])
    raw = (state / "run.json").read_text().replace(str(os.getpid()), str(2**22 + 2))
    (state / "run.json").write_text(raw)
    console.print(status.table(state, time.time()))
    assert "stopped" in printed(console)
    assert status.supervisor(state) is None


def test_logs_end(state: Path, console: Console) -> None:
    """The last lines of one log are printed as they are."""
    status.tail(state, "kafka", 2, console)
    assert printed(console).splitlines()[1:] == ["two", "three"]


def test_all_logs(state: Path, console: Console) -> None:
    """Every log has its path above it, and its own brackets are no colours."""
    status.tail(state, None, 1, console)
    assert "kafka.log" in printed(console)
    assert "[red]four" in printed(console)


def test_an_unknown_log(state: Path, console: Console) -> None:
    """A name that is none is answered with those that are."""
    with pytest.raises(Obstacle, match="no log of kofka: there are kafka, worker-1"):
        status.tail(state, "kofka", 1, console)


def test_no_logs_yet(tmp_path: Path, console: Console) -> None:
    """Before the first run the way to start one is told."""
    with pytest.raises(Obstacle, match="make run"):
        status.tail(tmp_path, None, 1, console)


def test_reset_deletes_all_but_downloads_and_other_instances(state: Path, tmp_path: Path) -> None:
    """Data, secrets and logs go; the cache and what `up` keeps stay."""
    cache = tmp_path.with_name(f"{tmp_path.name}-cache")
    cache.mkdir()
    (state / "env").write_text("secret")
    (state / "instances").mkdir()
    places = status.reset(state, cache)
    assert [path.name for path in state.iterdir()] == ["instances"]
    assert not places.data.exists()
    assert cache.is_dir()
