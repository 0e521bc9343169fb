"""Throughput while the workers are restarted one after the other, beside the steady state's."""

import asyncio
import time
from dataclasses import dataclass

from tests.chaos.estate import Estate
from tests.chaos.faults import roll
from tests.chaos.load import Load
from tests.chaos.outside import Outside

#: So many documents wait at any time: the model is always busy, and is what limits the rate.
_WAITING = 60
_WARM = 40
_STEADY_S = 40.0
_OPEN = "SELECT count(*) AS documents FROM requests WHERE status NOT IN ('completed', 'failed')"
_DONE = """SELECT count(*) AS documents FROM requests WHERE kind = 'process-document'
    AND extract(epoch FROM completed_at) BETWEEN {begin} AND {end}"""


@dataclass(frozen=True)
class Rolling:
    """Documents a minute in the steady state and during a rolling restart of all workers."""

    workers: int
    seconds: float
    steady: float
    rolling: float

    @property
    def share(self) -> float:
        """Returns: the rate of the restart as a share of the steady one."""
        return self.rolling / self.steady if self.steady else 0.0


async def measure(estate: Estate, load: Load, outside: Outside) -> Rolling:
    """Keep a queue of documents before the workers, and restart them. Returns: both rates."""
    feeding = asyncio.create_task(_feed(load, outside))
    try:
        while True:
            await asyncio.sleep(1)
            if await _done(outside, 0, time.time()) >= _WARM:
                break
        began = time.time()
        await asyncio.sleep(_STEADY_S)
        rolled = time.time()
        await roll(estate, list(estate.workers))
        over = time.time()
    finally:
        feeding.cancel()
    steady = await _done(outside, began, rolled) / (rolled - began)
    during = await _done(outside, rolled, over) / (over - rolled)
    return Rolling(len(estate.workers), over - rolled, steady * 60, during * 60)


async def _feed(load: Load, outside: Outside) -> None:
    while True:
        [row] = await outside.rows(_OPEN)
        for _ in range(_WAITING - row["documents"]):
            load.send_document()
        await asyncio.sleep(2)


async def _done(outside: Outside, begin: float, end: float) -> int:
    [row] = await outside.rows(_DONE.format(begin=begin, end=end))
    return int(row["documents"])
