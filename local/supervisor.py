"""The supervisor: starts programs together, waits until they serve, watches them, ends them.

Writes each program's output to its log file and the state of all to `run.json`.
"""

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO

from local.errors import Obstacle, ServerDied
from local.leash import Leash, kill_group
from local.places import Places
from local.program import Program
from local.record import Entry, State, write

_ASK_EVERY_S = 0.25
_LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Restarts:
    """How programs that die are started again.

    One that dies more than `most` times within `within_s` seconds is broken, not unlucky: the run
    ends. Until then it waits `pause_s` more seconds at each of its deaths.
    """

    most: int = 5
    within_s: float = 60.0
    pause_s: float = 1.0


@dataclass
class _Running:
    program: Program
    state: State = State.PREPARING
    process: asyncio.subprocess.Process | None = None
    started_at: float = 0.0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    deaths: deque[float] = field(default_factory=deque)
    restarts: int = 0
    watch: asyncio.Task[None] | None = None


class Supervisor:
    """Runs programs until told to stop.

    `start` some, any number of times; what `failed` waits for is the end of one that must not end.
    """

    def __init__(
        self,
        places: Places,
        leash: Leash,
        say: Callable[[str], None],
        restarts: Restarts | None = None,
    ) -> None:
        self._restarts = restarts or Restarts()
        self._places = places
        self._leash = leash
        self._say = say
        self._all: dict[str, _Running] = {}
        self._stopping = False

    async def start(self, programs: Sequence[Program]) -> None:
        """Start programs side by side, each once those that it names in `after` are ready.

        Returns: when all are ready.

        Raises:
            Obstacle: one cannot be prepared or started; the others may be running.
            ServerDied: one ended before it was ready.
        """
        for program in programs:
            self._all[program.name] = _Running(program)
        async with asyncio.TaskGroup() as group:
            for program in programs:
                group.create_task(self._bring_up(self._all[program.name]))
        for program in programs:
            running = self._all[program.name]
            running.watch = asyncio.create_task(self._watch(running))

    async def failed(self) -> None:
        """Wait for a program that must not end to end.

        Raises:
            ServerDied: always, when it happens; the message names the program and its log.
        """
        while True:
            watches = self._watches()
            if not watches:
                await asyncio.sleep(_ASK_EVERY_S)
                continue
            # Woken now and then, because more programs may have been started meanwhile.
            done, _ = await asyncio.wait(watches, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                # A watch is cancelled when its program is ended on purpose.
                if not task.cancelled():
                    task.result()

    async def stop(self) -> None:
        """End all programs, those that depend on others first; kill what takes too long."""
        self._stopping = True
        watches = self._watches()
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        left = dict(self._all)
        while left:
            needed = {name for running in left.values() for name in running.program.after}
            wave = [running for name, running in left.items() if name not in needed]
            wave = wave or list(left.values())
            await asyncio.gather(*(self._end(running) for running in wave))
            for running in wave:
                del left[running.program.name]

    async def end(self, name: str) -> None:
        """End one program in good order, for good."""
        running = self._all[name]
        if running.watch is not None:
            running.watch.cancel()
            await asyncio.gather(running.watch, return_exceptions=True)
        await self._end(running)
        del self._all[name]

    async def perform(self, program: Program) -> int:
        """Run a program that ends by itself, on this terminal.

        Returns: its exit code.
        """
        process = await self._leash.start(program, None)
        try:
            return await process.wait()
        except asyncio.CancelledError:
            kill_group(process.pid, program.stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), program.grace_s)
            raise
        finally:
            self._leash.ended(process.pid)

    def pids(self) -> dict[str, int]:
        """Returns: the process id of each program that runs."""
        return {
            name: running.process.pid
            for name, running in self._all.items()
            if running.process is not None and running.process.returncode is None
        }

    def _watches(self) -> list[asyncio.Task[None]]:
        return [running.watch for running in self._all.values() if running.watch is not None]

    async def _bring_up(self, running: _Running) -> None:
        program = running.program
        for name in program.after:
            if name in self._all:
                await self._all[name].ready.wait()
        await program.prepare()
        await self._launch(running)
        await self._until_ready(running)

    async def _launch(self, running: _Running) -> None:
        program = running.program
        mode = "ab" if running.restarts else "wb"
        with self._places.log(program.name).open(mode) as log:
            running.process = await self._spawn(program, log)
        running.started_at = time.time()
        self._enter(running, State.STARTING)

    async def _spawn(self, program: Program, log: IO[bytes]) -> asyncio.subprocess.Process:
        try:
            return await self._leash.start(program, log)
        except OSError as problem:
            raise Obstacle(f"{program.name} cannot be started: {problem}.") from problem

    async def _until_ready(self, running: _Running) -> None:
        program, process = running.program, running.process
        if process is None:
            return
        exited = asyncio.create_task(process.wait())
        deadline = time.monotonic() + program.start_limit_s
        try:
            while not await _is_ready(program):
                await asyncio.wait([exited], timeout=_ASK_EVERY_S)
                if exited.done():
                    self._leash.ended(process.pid)
                    raise ServerDied(
                        self._death(program, process.returncode, "before it was ready")
                    )
                if time.monotonic() > deadline:
                    raise Obstacle(
                        f"{program.name} did not become ready in {program.start_limit_s:.0f} s: "
                        f"see {self._places.log(program.name)}."
                    )
        finally:
            exited.cancel()
        self._enter(running, State.READY)
        self._say(f"{program.name} is ready")
        running.ready.set()

    async def _watch(self, running: _Running) -> None:
        while running.process is not None:
            program, process = running.program, running.process
            code = await process.wait()
            self._leash.ended(process.pid)
            self._enter(running, State.DEAD)
            if not program.restarts:
                raise ServerDied(self._death(program, code, "while others needed it"))
            await self._again(running, code)

    async def _again(self, running: _Running, code: int) -> None:
        program = running.program
        limit = self._restarts
        now = time.monotonic()
        running.deaths.append(now)
        while running.deaths[0] < now - limit.within_s:
            running.deaths.popleft()
        if len(running.deaths) > limit.most:
            raise ServerDied(
                self._death(program, code, f"{limit.most + 1} times in {limit.within_s:.0f} s")
            )
        running.restarts += 1
        self._say(f"{program.name} ended ({describe_exit(code)}); starting it again")
        await asyncio.sleep(limit.pause_s * (len(running.deaths) - 1))
        await self._launch(running)
        with contextlib.suppress(ServerDied):
            # Its death during the start is counted by the next turn of the watch.
            await self._until_ready(running)

    async def _end(self, running: _Running) -> None:
        process, program = running.process, running.program
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(program.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), program.grace_s)
            except TimeoutError:
                self._say(f"{program.name} did not end in {program.grace_s:.0f} s: killed")
                kill_group(process.pid, signal.SIGKILL)
                await process.wait()
        self._leash.ended(process.pid)
        self._enter(running, State.STOPPED)

    def _enter(self, running: _Running, state: State) -> None:
        running.state = state
        write(
            self._places.state,
            [
                Entry(
                    name=name,
                    state=one.state,
                    pid=one.process.pid if one.process else None,
                    port=one.program.port,
                    started_at=one.started_at,
                    restarts=one.restarts,
                )
                for name, one in self._all.items()
            ],
        )

    def _death(self, program: Program, code: int | None, when: str) -> str:
        log = self._places.log(program.name)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = "".join(f"\n  | {line}" for line in lines[-_LOG_TAIL_LINES:])
        return f"{program.name} ended ({describe_exit(code)}) {when}: see {log}.{tail}"


def describe_exit(code: int | None) -> str:
    """Returns: an exit code in words, with the name of the signal if it was one."""
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


async def _is_ready(program: Program) -> bool:
    try:
        return await program.ready()
    except OSError:
        return False
