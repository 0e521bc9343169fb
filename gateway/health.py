"""Asks every dependency whether it is there, all at once, and remembers the answer for a second.

Anyone may ask, so nothing that is said names a host, a process or an address.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from gateway.catalogue import sentence
from gateway.database import Row
from gateway.embedder import MissingModel
from gateway.errors import Unavailable
from gateway.queries import workers
from gateway.state import State
from schemas.api.health import Backlog, Breaker, Dependency, Worker
from schemas.indexes import ALIAS

TIMEOUT_S: Final = 2.0
_KEPT_S: Final = 1.0
REQUIRED: Final = frozenset({"kafka", "postgres", "s3"})
"""Without these no request can be taken; without the others search is poorer."""

_NO_WORKER: Final = (
    "No worker is alive, so documents are accepted and wait; start one with `actionstream worker`."
)
_log = structlog.get_logger("gateway.health")


@dataclass(frozen=True, slots=True)
class Report:
    """How everything is; `detail` has a sentence for each thing that is not well."""

    status: Literal["ok", "degraded", "unavailable"]
    detail: tuple[str, ...]
    dependencies: tuple[Dependency, ...]
    workers: tuple[Worker, ...]
    models: tuple[Breaker, ...]
    backlog: Backlog


@dataclass(slots=True)
class Health:
    """Checks of one gateway's dependencies, and of the workers behind it."""

    state: State
    _at: float = 0.0
    _found: Report | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def report(self) -> Report:
        """Returns: how everything is, asked at most once a second however many ask here."""
        async with self._lock:
            if self._found is None or time.monotonic() - self._at > _KEPT_S:
                self._found = await self._asked()
                self._at = time.monotonic()
            return self._found

    async def _asked(self) -> Report:
        checks = [_checked(name, ping) for name, ping in self._pings().items()]
        rows, found = await asyncio.gather(self._workers(), asyncio.gather(*checks))
        embedder = self.state.embedder
        own = Breaker(
            model=embedder.model,
            used_by="search",
            state=embedder.breaker.state,
            reason=embedder.breaker.reason,
        )
        estimate = self.state.backlog.estimate
        return judged(
            dependencies=found,
            workers=None if rows is None else [workers.shown(row) for row in rows],
            models=[*workers.breakers(rows or ()), own],
            backlog=Backlog(
                waiting_documents=estimate.waiting,
                finished_per_minute=estimate.per_minute,
                expected_wait_s=estimate.expected_wait_s,
            ),
        )

    async def _workers(self) -> Sequence[Row] | None:
        try:
            return await asyncio.wait_for(workers.alive(self.state.reader), TIMEOUT_S)
        except (Unavailable, TimeoutError):
            # Then it is Postgres that is unwell, and its own check says so.
            return None
        except SQLAlchemyError as error:
            # The table may be missing before `migrate` has run, or may not be read.
            _log.warning("workers unknown", error=type(error).__name__)
            return None

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


def judged(
    *,
    dependencies: Sequence[Dependency],
    workers: Sequence[Worker] | None,
    models: Sequence[Breaker],
    backlog: Backlog,
) -> Report:
    """Returns: the report on what was found; `workers` is none where they could not be asked."""
    away = [one for one in dependencies if not one.ok]
    said = [f"{one.name}: {one.detail}" for one in away]
    if workers is not None:
        said += _of_workers(workers)
    said += [
        f"the breaker of {one.model} ({one.used_by}) is {one.state}: {one.reason}"
        for one in models
        if one.state != "closed"
    ]
    needed = any(one.name in REQUIRED for one in away)
    # Several workers mostly say the same.
    detail = tuple(dict.fromkeys(sentence(one) for one in said))
    return Report(
        status="unavailable" if needed else "degraded" if detail else "ok",
        detail=detail,
        dependencies=tuple(dependencies),
        workers=tuple(workers or ()),
        models=tuple(models),
        backlog=backlog,
    )


def _of_workers(found: Sequence[Worker]) -> list[str]:
    if not found:
        return [_NO_WORKER]
    said = []
    for one in found:
        said += [
            f"a worker ({one.stages}) waits for {name}: {reason}"
            for name, reason in one.waiting_for.items()
        ]
        said += [
            f"the stage {name} of a worker ({one.stages}) has stopped: {reason}; mend the cause "
            "and start the worker anew"
            for name, reason in one.stopped_stages.items()
        ]
    return said


async def _checked(name: str, ping: Callable[[], Awaitable[object]]) -> Dependency:
    began = time.perf_counter()
    detail = None
    try:
        await asyncio.wait_for(ping(), TIMEOUT_S)
    except MissingModel as error:
        detail = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the dependency does not answer
        # The error's text names hosts, so it goes to the log only.
        detail = type(error).__name__
        _log.warning("dependency away", dependency=name, error=str(error)[:200])
    took = (time.perf_counter() - began) * 1000
    return Dependency(name=name, ok=detail is None, latency_ms=round(took, 1), detail=detail)
