"""The faults: what is broken, when, and how long until it serves again."""

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random

import psutil

from tests.chaos import proxy
from tests.chaos.estate import BEHIND_PROXY, MODEL, SERVERS, Estate
from tests.chaos.journal import Journal
from tests.chaos.model import MODES
from tests.chaos.options import Options

#: Kinds of faults with their weights; those of the second table are too slow for the short run.
_CHEAP = {
    "kill worker": 11,
    "kill gateway": 5,
    "kill holder": 3,
    "kill models": 3,
    "kill postgres": 4,
    "kill kafka": 3,
    "kill s3": 3,
    "reset connections": 3,
    "stop worker": 3,
    "model error": 1,
}
_SLOW = {
    "kill opensearch": 3,
    "stop gateway": 1,
    "stop server": 2,
    "hold connections": 1,
    "model busy": 1,
    "model hang": 1,
    "model cut": 1,
    "model rubbish": 1,
    "rolling workers": 1,
    "rolling gateways": 1,
    "add worker": 1,
    "remove worker": 1,
}
_MOST_WORKERS = 4
#: A model that answers rubbish for longer would exhaust every attempt of every record.
_LONGEST_RUBBISH_S = 8.0


@dataclass
class Fault:
    """One fault; times in seconds since 1970. `ready_at`: when its target served again."""

    kind: str
    target: str
    at: float
    until: float | None = None
    ready_at: float | None = None


class Faults:
    """Breaks things from a seed until there was enough of it."""

    def __init__(self, estate: Estate, journal: Journal, options: Options) -> None:
        self.done: list[Fault] = []
        self._estate = estate
        self._journal = journal
        self._options = options
        self._chance = Random(f"faults {options.seed}")
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[str] = set()

    @property
    def kills(self) -> Counter[str]:
        """Returns: how often each kind of process was killed."""
        return Counter(each.kind for each in self.done if each.kind.startswith("kill"))

    async def run(self) -> None:
        """Break one thing after another, without waiting for anything to recover."""
        end = time.monotonic() + 60 * self._options.minutes
        for kind in self._kinds():
            await asyncio.sleep(self._options.pause * self._chance.uniform(0.5, 1.5))
            enough = self._options.kills is not None and self.kills.total() >= self._options.kills
            if enough or time.monotonic() > end:
                break
            task = asyncio.create_task(self._carry_out(kind, Random(self._chance.random())))
            self._tasks.add(task)
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Break nothing more, and let go of what is held."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _kinds(self) -> Iterator[str]:
        """Yield kinds as often as their weights say, in an order that the seed decides."""
        cheap = [kind for kind in _CHEAP if kind != "kill holder" or self._estate.holders]
        if self._options.short:
            yield from self._chance.sample(cheap, len(cheap))
            return
        weights = {**{kind: _CHEAP[kind] for kind in cheap}, **_SLOW}
        deck = [kind for kind, weight in weights.items() for _ in range(weight)]
        while True:
            yield from self._chance.sample(deck, len(deck))

    async def _carry_out(self, kind: str, chance: Random) -> None:
        verb, _, what = kind.partition(" ")
        target = self._target(what, chance)
        if target is None or kind in self._busy:
            return
        fault = Fault(kind, target, time.time())
        self.done.append(fault)
        self._journal.note("fault", kind=kind, target=target)
        seconds = chance.uniform(5, 8 if self._options.short else 30)
        work: dict[str, Callable[[Fault, float], Awaitable[None]]] = {
            "kill": self._kill,
            "stop": self._stop,
            "model": self._model,
            "reset": self._reset,
            "hold": self._hold,
            "rolling": self._rolling,
            "add": self._add,
            "remove": self._remove,
        }
        only_once = {kind} if verb in {"rolling", "add", "remove", "hold"} else set()
        self._busy |= only_once
        try:
            await work[verb](fault, seconds)
        finally:
            self._busy -= only_once
        self._journal.note("over", kind=kind, target=target, ready_at=fault.ready_at)

    def _target(self, what: str, chance: Random) -> str | None:
        """Returns: which program; a server only while it serves, since its start takes long."""
        estate = self._estate
        groups = {
            "worker": estate.workers,
            "gateway": list(estate.gateways),
            "holder": estate.holders,
            "server": [*SERVERS, MODEL],
            "connections": list(BEHIND_PROXY),
        }
        chosen = chance.choice(groups.get(what, [what]))
        if chosen in SERVERS and what != "connections" and not estate.ready(chosen):
            return None
        return chosen

    async def _kill(self, fault: Fault, _: float) -> None:
        pid = self._estate.pid(fault.target)
        if pid is None:
            # It died a moment ago, and is being started again.
            self.done.remove(fault)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if await self._estate.until_ready(fault.target, since=pid):
            fault.ready_at = time.time()

    async def _stop(self, fault: Fault, seconds: float) -> None:
        family = self._estate.family(fault.target)
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            for each in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.resume()
            fault.until = fault.ready_at = time.time()

    async def _model(self, fault: Fault, seconds: float) -> None:
        mode = fault.kind.partition(" ")[2]
        if mode not in MODES:
            raise ValueError(mode)
        seconds = min(seconds, _LONGEST_RUBBISH_S) if mode == "rubbish" else seconds
        await self._estate.misbehave(mode, 0.5 if mode == "rubbish" else 1.0, seconds)
        await asyncio.sleep(seconds)
        fault.until = fault.ready_at = time.time()

    async def _reset(self, fault: Fault, _: float) -> None:
        await proxy.tell(self._estate.control, f"cut {fault.target}")
        fault.ready_at = time.time()

    async def _hold(self, fault: Fault, seconds: float) -> None:
        await proxy.tell(self._estate.control, f"hold {fault.target} {seconds:.1f}")
        fault.until = fault.ready_at = time.time()

    async def _rolling(self, fault: Fault, _: float) -> None:
        """Restart all of a kind, one after the other, each as soon as the one before serves."""
        names = self._estate.workers if fault.target == "workers" else self._estate.gateways
        await roll(self._estate, list(names))
        fault.until = fault.ready_at = time.time()

    async def _add(self, fault: Fault, _: float) -> None:
        if len(self._estate.workers) < _MOST_WORKERS:
            fault.target = await self._estate.add_worker()
        fault.ready_at = time.time()

    async def _remove(self, fault: Fault, _: float) -> None:
        if len(self._estate.workers) > self._options.workers:
            fault.target = self._estate.workers[-1]
            await self._estate.remove_worker(fault.target)
        fault.ready_at = time.time()


async def roll(estate: Estate, names: list[str]) -> None:
    """Restart programs by SIGTERM, each once the one before serves again."""
    for name in names:
        pid = estate.pid(name)
        if pid is None:
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        await estate.until_ready(name, since=pid)


def spread(faults: list[Fault]) -> dict[str, list[Fault]]:
    """Returns: the faults by kind."""
    ordered = sorted(faults, key=lambda each: each.kind)
    return {kind: list(each) for kind, each in itertools.groupby(ordered, lambda one: one.kind)}
