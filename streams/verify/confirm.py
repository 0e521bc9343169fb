"""Telling differences from work in flight: what was found is looked at again before it is said.

A commit and the records that follow from it are not one moment, so every finding gets a pause of
two seconds and a second look. It is certain when, in between, the stages that could have changed it
have worked off all that their topics held: twice, because the first round may publish for the
second. What still stands while records wait is said as a suspicion.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.flow import sources
from streams.verify.stores import Stores

PAUSE_S: Final = 2.0
"""Between the first look and the second, in seconds."""

BATCH: Final = 200
"""Findings that are looked at again together, and so the most that are held in memory."""

_ROUNDS: Final = 2


class Confirmation:
    """Looks at findings again; all of its waits for the topics together take `patience_s`."""

    def __init__(self, stores: Stores, *, patience_s: float, pause_s: float = PAUSE_S) -> None:
        self._stores = stores
        self._left_s = patience_s
        self._pause_s = pause_s

    async def confirmed(self, comparison: Comparison, look: Look) -> AsyncIterator[Difference]:
        """Yield what a comparison finds and finds again."""
        found: list[Difference] = []
        async for each in comparison.scan(self._stores, look):
            found.append(each)
            if len(found) == BATCH:
                for still in await self._again(comparison, found):
                    yield still
                found.clear()
        for still in await self._again(comparison, found):
            yield still

    async def _again(
        self, comparison: Comparison, found: Sequence[Difference]
    ) -> Sequence[Difference]:
        if not found:
            return []
        await asyncio.sleep(self._pause_s)
        passed: dict[frozenset[str], bool] = {}
        for each in found:
            topics = _topics(comparison, each)
            if topics not in passed:
                passed[topics] = await self._passed(topics)
        look = Look(frozenset(each.subject for each in found))
        still = {each.key: each async for each in comparison.scan(self._stores, look)}
        before = {each.key: _topics(comparison, each) for each in found}
        return [
            replace(each, certain=_is_certain(each, passed[before[key]]))
            for key, each in still.items()
            # What stands still at another place has moved meanwhile.
            if key in before and _topics(comparison, each) == before[key]
        ]

    async def _passed(self, topics: frozenset[str]) -> bool:
        for _ in range(_ROUNDS):
            began = time.monotonic()
            passed = await self._stores.flow.passed(topics, within_s=self._left_s)
            self._left_s = max(0.0, self._left_s - (time.monotonic() - began))
            if not passed:
                return False
        return True


def _topics(comparison: Comparison, each: Difference) -> frozenset[str]:
    return sources((*comparison.stages, *each.stages), held=each.held)


def _is_certain(each: Difference, passed: bool) -> bool:  # noqa: FBT001 - two facts, no switch
    # An object's record may be on its way without being in any topic yet; its age decides.
    return passed and (each.certain or each.kind is not Kind.OBJECT_WITHOUT_ROW)
