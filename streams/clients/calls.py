"""The calls to one model: so many at once, each with a hard limit, none while it is down.

Every error of a call is told apart here: down for everyone, or one record's own trouble.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx
import structlog
from ollama import ResponseError

from streams import metrics
from streams.clients.breaker import Breaker, State
from streams.errors import DependencyDown, RecordTrouble
from streams.settings import Settings
from streams.slots import Slots

log = structlog.get_logger()

NAME: Final = "models"
SAY_AGAIN_SECONDS: Final = 60.0
_NOT_FOUND: Final = 404
_BUSY: Final = frozenset({429, 503})
_LEVELS: Final = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


class ModelMissing(DependencyDown):
    """The model server does not have the model; the sentence says how to get it."""

    def __init__(self, model: str) -> None:
        super().__init__(
            NAME,
            f"the model {model} is missing; run `ollama pull {model}` where the model server runs",
        )


class _Busy(DependencyDown):
    """The model server takes no more calls for the moment."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of the calls to one model; documents of batches get `bulk_share` of the slots.

    `threshold` and `pause` are those of its breaker, `probe` is the hard limit of a probe.
    """

    slots: int = 4
    bulk_share: float = 1.0
    timeout: timedelta = timedelta(seconds=60)
    probe: timedelta = timedelta(seconds=30)
    threshold: int = 5
    pause: timedelta = timedelta(seconds=5)

    @classmethod
    def of(cls, settings: Settings) -> "Caps":
        """Returns: the limits that the settings name."""
        return cls(
            slots=settings.model_slots,
            bulk_share=settings.bulk_share,
            timeout=settings.model_timeout,
            probe=settings.breaker_probe_timeout,
            threshold=settings.breaker_threshold,
            pause=settings.breaker_pause,
        )


class Calls:
    """One model's slots and breaker; every call of a record is made in `one`."""

    def __init__(self, model: str, caps: Caps, probe: Callable[[], Awaitable[object]]) -> None:
        """Begin with a closed breaker; `probe` is a tiny call to the model."""
        self.model = model
        self._caps = caps
        self._probe = probe
        self._slots = Slots(caps.slots, caps.bulk_share)
        self._said: tuple[float, str | None] = (0.0, None)
        self.breaker = Breaker(
            threshold=caps.threshold,
            pause_seconds=caps.pause.total_seconds(),
            changed=self._changed,
        )
        self._changed(State.CLOSED, None)

    @asynccontextmanager
    async def one(self, record: str | None) -> AsyncIterator[None]:
        """Make one call of a record in this context; None is a call of no record.

        Raises: DependencyDown: the model is down for everyone. RecordTrouble: the model works, but
            not for this record.
        """
        self._fail_fast()
        async with self._slot():
            await self._admit()
            try:
                async with bounded(self.model, self._caps.timeout):
                    yield
            except _Busy as error:
                self.breaker.failed(None, error.detail)
                self._count("down")
                raise
            except DependencyDown as error:
                self.breaker.open(error.detail)
                self._count("down")
                raise
            except RecordTrouble as error:
                down = await self._blamed(record, error)
                self._count("down" if down else "trouble")
                if down:
                    raise DependencyDown(NAME, error.detail) from error
                raise
            self.breaker.succeeded(record)
            self._count("answered")

    async def _blamed(self, record: str | None, error: RecordTrouble) -> bool:
        """Returns: whether the model, not the record, is to blame for a failed call."""
        self.breaker.failed(record, error.detail)
        if self.breaker.state is State.CLOSED:
            # One record alone cannot say whether all would fail; a tiny call can.
            try:
                async with bounded(self.model, self._caps.probe):
                    await self._probe()
            except (DependencyDown, RecordTrouble):
                self.breaker.open(error.detail)
        return self.breaker.pardons(record)

    def _fail_fast(self) -> None:
        if self.breaker.state is State.CLOSED or self.breaker.probe_is_due:
            return
        self._count("not tried")
        raise DependencyDown(NAME, self.breaker.reason or f"{self.model} is down")

    async def _admit(self) -> None:
        """Let the call pass, after a probe if one is due. Raises: DependencyDown."""
        self._fail_fast()
        if self.breaker.state is State.CLOSED:
            return
        self.breaker.probing()
        try:
            async with bounded(self.model, self._caps.probe):
                await self._probe()
        except (DependencyDown, RecordTrouble) as error:
            self.breaker.probe_failed(error.detail)
            self._count("not tried")
            raise DependencyDown(NAME, error.detail) from error
        else:
            self.breaker.probe_succeeded()
        finally:
            self.breaker.probe_left()

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            with metrics.MODEL_WAITING.labels(self.model).track_inprogress():
                await stack.enter_async_context(self._slots.one())
            with metrics.MODEL_CALLS_IN_FLIGHT.labels(self.model).track_inprogress():
                yield

    def _count(self, outcome: str) -> None:
        metrics.MODEL_CALLS.labels(self.model, outcome).inc()

    def _changed(self, state: State, reason: str | None) -> None:
        metrics.MODEL_BREAKER.labels(self.model).set(_LEVELS[state])
        said_at, said = self._said
        if state is State.OPEN and (
            reason != said or time.monotonic() - said_at >= SAY_AGAIN_SECONDS
        ):
            log.error("model down", model=self.model, reason=reason)
            self._said = (time.monotonic(), reason)
        elif state is State.CLOSED and said is not None:
            log.info("model is there again", model=self.model)
            self._said = (0.0, None)


class Transport(httpx.AsyncHTTPTransport):
    """HTTP, where a connection that is reset while it is opened is one that cannot be had.

    anyio asks such a connection for its peer, which is gone (AttributeError), and uvloop refuses to
    write to it (RuntimeError).
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Returns: the answer. Raises: httpx.TransportError: there is none."""
        try:
            return await super().handle_async_request(request)
        except (AttributeError, RuntimeError) as error:
            raise httpx.ConnectError(str(error), request=request) from error


@asynccontextmanager
async def bounded(model: str, limit: timedelta) -> AsyncIterator[None]:
    """End what happens in this context after `limit`, and tell its errors apart.

    Raises: ModelMissing. DependencyDown: the server refuses the connection, or is busy.
        RecordTrouble: no answer in time, a broken connection, an error, or none of Ollama's API.
    """
    try:
        async with asyncio.timeout(limit.total_seconds()):
            yield
    except TimeoutError as error:
        detail = f"{model} did not answer within {limit.total_seconds():g} s"
        raise RecordTrouble(NAME, detail) from error
    except ResponseError as error:
        if error.status_code == _NOT_FOUND:
            raise ModelMissing(model) from error
        if error.status_code in _BUSY:
            raise _Busy(NAME, "the model server is busy") from error
        detail = f"{model} answered with status {error.status_code}"
        raise RecordTrouble(NAME, detail) from error
    # Not JSON, not UTF-8, not decodable, or JSON of another form.
    except (ValueError, TypeError, httpx.DecodingError) as error:
        detail = "the model server's answer does not have the form of Ollama's API"
        raise RecordTrouble(NAME, detail) from error
    # The client turns httpx.ConnectError into ConnectionError.
    except (ConnectionError, httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise DependencyDown(NAME, "the model server does not answer") from error
    except httpx.TimeoutException as error:
        raise RecordTrouble(NAME, f"{model} did not answer in time") from error
    except httpx.TransportError as error:
        raise RecordTrouble(NAME, f"the connection to {model} broke") from error
