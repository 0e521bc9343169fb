"""When each key was last used: noted at once, written every half minute, to the minute."""

import asyncio
import time
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Final, Protocol

import structlog

from gateway.limits.store import StoreAway

FLUSH_S: Final = 30.0
MOST_KEYS: Final = 20_000
"""Keys whose uses wait to be written; those of more keys are not noted, for they are for show."""
_AT_ONCE: Final = 1000

_log = structlog.get_logger("gateway.uses")


class UseStore(Protocol):
    """Where uses are kept."""

    async def note_uses(self, ago_s: Mapping[str, float]) -> None:
        """Keep uses by their age in seconds. Raises: StoreAway."""


class Uses:
    """The uses of keys that have not been written yet; make it and use it on one event loop."""

    def __init__(self, store: UseStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._used: dict[str, float] = {}
        self._failing = False

    def note(self, key_id: str) -> None:
        """Note that a key is used now."""
        if key_id in self._used or len(self._used) < MOST_KEYS:
            self._used[key_id] = self._clock()

    async def run(self) -> None:
        """Write from time to time, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what has been noted; what cannot be written now is kept for the next time."""
        noted, self._used = self._used, {}
        try:
            while some := dict(islice(noted.items(), _AT_ONCE)):
                now = self._clock()
                await self._store.note_uses({key_id: now - at for key_id, at in some.items()})
                for key_id in some:
                    del noted[key_id]
            self._failing = False
        except StoreAway as error:
            if not self._failing:
                _log.warning("last uses of keys cannot be written", error=str(error))
            self._failing = True
        finally:
            self._used = {**noted, **self._used}
