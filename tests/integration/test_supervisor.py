"""The supervisor with real processes: together up, together down, nothing left behind."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from local import record, watchdog
from local.errors import Obstacle, ServerDied
from local.leash import Leash
from local.places import PROJECT, Places
from local.program import Program, always
from local.session import first_problem
from local.supervisor import Restarts, Supervisor
from tests.fakes.supervised import pids_of

SLEEPER = ("sleep", "1000")
FAILS = ("sh", "-c", "echo the reason; exit 3")
PATIENT = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(1000)
"""

#: A supervisor as a process of its own, so that it can be killed.
SUPERVISED = """
import asyncio, sys
from pathlib import Path
from local.leash import Leash
from local.places import Places
from local.program import Program, always
from local.supervisor import Supervisor

async def main():
    state = Path(sys.argv[1])
    places = Places(cache=state, state=state, data=state, uid=None)
    supervisor = Supervisor(places, await Leash.take(state, print), print)
    env = {"PATH": "/usr/bin:/bin"}
    family = ("sh", "-c", "sleep 1000 & sleep 1000")
    await supervisor.start([
        Program(name="one", argv=("sleep", "1000"), env=env, ready=always),
        Program(name="two", argv=family, env=env, ready=always),
    ])
    print("ready", flush=True)
    await supervisor.failed()

asyncio.run(main())
"""


def program(name: str, *argv: str, **more: object) -> Program:
    """Returns: a program that is ready as soon as it runs, unless `more` says otherwise."""
    settings: dict[str, object] = {"env": {"PATH": "/usr/bin:/bin"}, "ready": always, **more}
    return Program(name=name, argv=argv, **settings)  # type: ignore[arg-type]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Returns: places below a folder of the test."""
    (tmp_path / "logs").mkdir()
    return Places(cache=tmp_path, state=tmp_path, data=tmp_path, uid=None)


@pytest.fixture
def said() -> list[str]:
    """Returns: what the supervisor said, as it says it."""
    return []


@pytest.fixture
async def supervisor(places: Places, said: list[str]) -> AsyncIterator[Supervisor]:
    """Returns: a supervisor that is stopped after the test."""
    leash = await Leash.take(places.state, said.append)
    one = Supervisor(places, leash, said.append, Restarts(pause_s=0.1))
    yield one
    await one.stop()
    leash.let_go()


async def until(condition: Callable[[], bool], limit_s: float = 30) -> bool:
    """Returns: whether the condition became true."""
    for _ in range(int(limit_s / 0.05)):
        if condition():
            break
        await asyncio.sleep(0.05)
    return condition()


async def test_starts_when_ready_and_stops_all(supervisor: Supervisor, places: Places) -> None:
    """Programs run once started, the record names them, and stopping ends them."""
    await supervisor.start([program("a", *SLEEPER), program("b", *SLEEPER)])
    pids = pids_of(supervisor)
    assert all(psutil.pid_exists(pid) for pid in pids.values())
    owner, entries = record.read(places.state)
    assert owner == os.getpid()
    assert {entry.name: entry.state for entry in entries} == {"a": "ready", "b": "ready"}
    await supervisor.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids.values())


async def test_waits_for_readiness_in_order(supervisor: Supervisor) -> None:
    """A program is started only when the one it depends on is ready."""
    seen: list[str] = []
    asked = 0

    async def third_time() -> bool:
        nonlocal asked
        asked += 1
        return asked >= 3

    async def note() -> None:
        seen.append(f"second after {asked} questions")

    await supervisor.start(
        [
            program("second", *SLEEPER, after=("first",), prepare=note),
            program("first", *SLEEPER, ready=third_time),
        ]
    )
    assert seen == ["second after 3 questions"]


async def test_death_before_ready_shows_the_log(supervisor: Supervisor, places: Places) -> None:
    """A server that cannot start ends the run with its exit code, its log and its last words."""

    async def never() -> bool:
        return False

    with pytest.raises(ServerDied) as died, first_problem():
        await supervisor.start([program("broken", *FAILS, ready=never)])
    message = str(died.value)
    assert "exit code 3" in message
    assert str(places.log("broken")) in message
    assert "the reason" in message


async def test_a_server_is_not_restarted(supervisor: Supervisor) -> None:
    """A server that dies while others need it ends the run and says what killed it."""
    await supervisor.start([program("server", *SLEEPER)])
    os.kill(pids_of(supervisor)["server"], signal.SIGKILL)
    with pytest.raises(
        ServerDied, match=r"server ended .killed by SIGKILL. while others needed it"
    ):
        await supervisor.failed()


async def test_a_worker_is_restarted_and_it_says_so(
    supervisor: Supervisor, said: list[str], places: Places
) -> None:
    """A worker that was killed comes back under another id, is announced, and is counted."""
    await supervisor.start([program("worker", *SLEEPER, restarts=True)])
    before = pids_of(supervisor)["worker"]
    os.kill(before, signal.SIGKILL)
    assert await until(lambda: said.count("worker is ready") == 2)
    assert pids_of(supervisor)["worker"] != before
    assert "worker ended (killed by SIGKILL); starting it again" in said
    _, [entry] = record.read(places.state)
    assert entry.restarts == 1


async def test_a_worker_that_always_dies_ends_the_run(supervisor: Supervisor) -> None:
    """Restarts are capped: a worker that cannot live is reported with its log."""
    await supervisor.start([program("worker", *FAILS, restarts=True)])
    with pytest.raises(ServerDied, match=rf"{Restarts().most + 1} times in 60 s"):
        await supervisor.failed()


async def test_children_of_a_dead_worker_go_with_it(supervisor: Supervisor) -> None:
    """What a killed worker had started does not live on beside its successor."""
    family = ("sh", "-c", "sleep 1000 & wait")
    await supervisor.start([program("worker", *family, restarts=True)])
    parent = psutil.Process(pids_of(supervisor)["worker"])
    assert await until(lambda: bool(parent.children()))
    [child] = parent.children()
    parent.kill()
    assert await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


async def test_kills_what_does_not_end(
    supervisor: Supervisor, said: list[str], places: Places
) -> None:
    """A program that ignores the signal is killed after its grace."""
    log = places.log("deaf")

    async def deaf() -> bool:
        return "deaf" in await asyncio.to_thread(log.read_text)

    await supervisor.start(
        [program("deaf", sys.executable, "-c", PATIENT, grace_s=0.5, ready=deaf)]
    )
    pid = pids_of(supervisor)["deaf"]
    await supervisor.stop()
    assert not psutil.pid_exists(pid)
    assert said[-1] == "deaf did not end in 0 s: killed"


async def test_killing_the_supervisor_takes_everything(tmp_path: Path) -> None:
    """After kill -9 of the supervisor its programs and their children end, and the lock is free."""
    (tmp_path / "logs").mkdir()
    one = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SUPERVISED, str(tmp_path)),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert one.stdout is not None
    while await one.stdout.readline() != b"ready\n":
        assert one.returncode is None
    supervising = psutil.Process(one.pid)

    def sleepers() -> int:
        return sum(child.name() == "sleep" for child in supervising.children(recursive=True))

    assert await until(lambda: sleepers() == 3)
    family = supervising.children(recursive=True)
    one.kill()
    await one.wait()
    gone, alive = psutil.wait_procs(family, timeout=30)
    assert (len(gone), alive) == (len(family), [])
    leash = await Leash.take(tmp_path, print)
    leash.let_go()


async def test_a_second_run_is_refused(supervisor: Supervisor, places: Places) -> None:
    """Two supervisors never share a state folder; the sentence names the one that runs."""
    await supervisor.start([program("a", *SLEEPER)])
    with pytest.raises(Obstacle, match=rf"A run is up already .process {os.getpid()}"):
        await Leash.take(places.state, print)


async def test_performs_a_command(supervisor: Supervisor) -> None:
    """A command that ends by itself gives its exit code."""
    assert await supervisor.perform(program("command", *FAILS)) == 3


def test_the_watchdog_kills_what_ignores_it() -> None:
    """A group that ignores its signal is killed after the grace."""
    with subprocess.Popen(
        [sys.executable, "-c", PATIENT],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as one:
        assert one.stdout is not None
        one.stdout.readline()
        watchdog.end({one.pid: signal.SIGTERM}, grace_s=0.3)
        assert one.wait() == -signal.SIGKILL


def test_the_record_is_readable_json(places: Places) -> None:
    """The record is replaced whole and can be read by any program."""
    record.write(places.state, [record.Entry("a", record.State.READY, 1, 2, 3.0, 0)])
    raw = json.loads((places.state / "run.json").read_text())
    assert raw["programs"][0]["name"] == "a"
    with contextlib.suppress(FileNotFoundError):
        (places.state / "run.json").unlink()
    assert record.read(places.state) == (None, [])


async def test_ends_clients_before_their_servers(supervisor: Supervisor, places: Places) -> None:
    """A program that takes its time to end still has what it depends on until then."""
    farewell = "sleep 0.3; kill -0 $(cat pid) && echo the server is there; exit"
    client = ("sh", "-c", f"trap '{farewell}' TERM; echo up; while :; do sleep 0.05; done")
    server = ("sh", "-c", "echo $$ > pid; exec sleep 1000")

    async def client_is_up() -> bool:
        return await asyncio.to_thread(places.log("client").read_text) == "up\n"

    async def server_is_up() -> bool:
        return bool(await asyncio.to_thread((places.data / "pid").read_text))

    await supervisor.start(
        [
            program("client", *client, cwd=places.data, ready=client_is_up, after=("server",)),
            program("server", *server, cwd=places.data, ready=server_is_up),
        ]
    )
    await supervisor.stop()
    assert places.log("client").read_text() == "up\nthe server is there\n"


async def test_ends_one_for_good(supervisor: Supervisor, places: Places) -> None:
    """A program that is ended on purpose stays away, and nobody takes that for a failure."""
    await supervisor.start([program("a", *SLEEPER, restarts=True), program("b", *SLEEPER)])
    failed = asyncio.create_task(supervisor.failed())
    pid = pids_of(supervisor)["a"]

    await supervisor.end("a")
    await asyncio.sleep(0)

    assert not psutil.pid_exists(pid)
    assert set(pids_of(supervisor)) == {"b"}
    assert not failed.done()
    failed.cancel()
