"""Asks every dependency whether it is there, all at once, and remembers the answer for a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool

from gateway.state import State
from schemas.api.health import Dependency
from schemas.indexes import ALIAS

TIMEOUT_S: Final = 2.0
_KEPT_S: Final = 1.0
REQUIRED: Final = frozenset({"kafka", "postgres", "s3"})
"""Without these no request can be taken; without the others search is poorer."""

_log = structlog.get_logger("gateway.health")


@dataclass(slots=True)
class Health:
    """Checks of one gateway's dependencies."""

    state: State
    _at: float = 0.0
    _found: tuple[Dependency, ...] = ()
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def dependencies(self) -> tuple[Dependency, ...]:
        """Returns: all dependencies, asked at most once a second however many ask here."""
        async with self._lock:
            if time.monotonic() - self._at > _KEPT_S:
                checks = (_checked(name, ping) for name, ping in self._pings().items())
                self._found = tuple(await asyncio.gather(*checks))
                self._at = time.monotonic()
            return self._found

    def _pings(self) -> dict[str, Callable[[], Awaitable[object]]]:
        state = self.state

        async def kafka() -> None:
            await run_in_threadpool(state.publisher.ping, TIMEOUT_S)

        async def opensearch() -> None:
            alias = state.settings.index_prefix + ALIAS
            if not await state.search.indices.exists_alias(name=alias):
                raise LookupError(f"there is no alias {alias}")

        return {
            "kafka": kafka,
            "postgres": state.reader.ping,
            "opensearch": opensearch,
            "s3": state.storage.ping,
            "models": state.embedder.ping,
        }


async def _checked(name: str, ping: Callable[[], Awaitable[object]]) -> Dependency:
    began = time.perf_counter()
    detail = None
    try:
        await asyncio.wait_for(ping(), TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - whatever it is, the dependency does not answer
        # Anyone may ask, so the error's text, which names hosts, goes to the log only.
        detail = type(error).__name__
        _log.warning("dependency away", dependency=name, error=str(error)[:200])
    took = (time.perf_counter() - began) * 1000
    return Dependency(name=name, ok=detail is None, latency_ms=round(took, 1), detail=detail)
