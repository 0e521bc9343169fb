"""What one gateway process holds: settings and clients, opened and closed by the lifespan."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass

from opensearchpy import AsyncOpenSearch
from starlette.concurrency import run_in_threadpool

from gateway.admission import Admission
from gateway.backlog import Backlog
from gateway.cursors import Cursors
from gateway.database import Reader
from gateway.direct import Direct
from gateway.embedder import Embedder
from gateway.events.hub import Hub
from gateway.gathering import Gathering
from gateway.keys.keys import Keys
from gateway.keys.memory import Memory
from gateway.keys.news import News
from gateway.keys.turns import Turns
from gateway.lag import IntakeLag
from gateway.limits.limiter import RateLimiter
from gateway.limits.store import Store
from gateway.live_index import LiveIndex
from gateway.metrics import Metrics
from gateway.publisher import Publisher
from gateway.queries import requests
from gateway.queries.backlog import progress
from gateway.results import Results
from gateway.settings import GatewaySettings
from gateway.storage import Storage
from gateway.uses import Uses
from schemas.ids import Ids


@dataclass(frozen=True, slots=True)
class State:
    """The clients that handlers use."""

    settings: GatewaySettings
    ids: Ids
    cursors: Cursors
    metrics: Metrics
    reader: Reader
    direct: Direct
    asked: Gathering
    keys: Keys
    limits: RateLimiter
    uses: Uses
    search: AsyncOpenSearch
    live_index: LiveIndex
    storage: Storage
    embedder: Embedder
    publisher: Publisher
    results: Results
    events: Hub
    backlog: Backlog
    admission: Admission


@contextlib.asynccontextmanager
async def opened(settings: GatewaySettings, metrics: Metrics) -> AsyncIterator[State]:
    """Open all clients, none of which waits for its server, and close them in the end."""
    secret = settings.id_secret.get_secret_value()
    async with contextlib.AsyncExitStack() as stack:
        reader = Reader(settings)
        stack.push_async_callback(reader.close)
        direct = Direct(settings)
        stack.push_async_callback(direct.close)
        memory = Memory(settings.key_cache.total_seconds())
        news = News(settings, memory)
        stack.push_async_callback(run_in_threadpool, news.close)
        limits, uses = await stack.enter_async_context(_counting(settings, metrics))
        search = _search_client(settings)
        stack.push_async_callback(search.close)
        embedder = Embedder(settings)
        stack.push_async_callback(embedder.close)
        storage = await stack.enter_async_context(Storage(settings))
        publisher = Publisher(settings, metrics.count_published)
        stack.push_async_callback(run_in_threadpool, publisher.close)
        results = Results(settings)
        stack.push_async_callback(run_in_threadpool, results.close)
        metrics.watch_waiting(lambda: results.waiting)
        keys = Keys(settings, direct, metrics, memory, Turns(limits.is_spent))
        cursors = Cursors(secret)
        events = Hub(settings, direct, keys, cursors, metrics)
        stack.push_async_callback(events.close)
        backlog = await stack.enter_async_context(_estimating(settings, reader, metrics))
        yield State(
            settings=settings,
            ids=Ids(secret),
            cursors=cursors,
            metrics=metrics,
            reader=reader,
            direct=direct,
            asked=Gathering(direct.rows, requests.FIND),
            keys=keys,
            limits=limits,
            uses=uses,
            search=search,
            live_index=LiveIndex(settings, search),
            storage=storage,
            embedder=embedder,
            publisher=publisher,
            results=results,
            events=events,
            backlog=backlog,
            admission=Admission(settings, backlog),
        )


@contextlib.asynccontextmanager
async def _counting(
    settings: GatewaySettings, metrics: Metrics
) -> AsyncIterator[tuple[RateLimiter, Uses]]:
    store = Store(settings)
    limits, uses = RateLimiter(settings.rate_limits, store, metrics), Uses(store)
    tasks = [asyncio.create_task(limits.leases.run()), asyncio.create_task(uses.run())]
    try:
        yield limits, uses
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await limits.leases.close()
        await uses.flush()
        await store.close()


@contextlib.asynccontextmanager
async def _estimating(
    settings: GatewaySettings, reader: Reader, metrics: Metrics
) -> AsyncIterator[Backlog]:
    lag = IntakeLag(settings)
    backlog = Backlog(lag, functools.partial(progress, reader))
    metrics.watch_backlog(
        lambda: backlog.estimate.expected_wait_s, lambda: backlog.estimate.waiting
    )
    task = asyncio.create_task(backlog.run())
    try:
        yield backlog
    finally:
        task.cancel()
        await asyncio.wait([task])
        await run_in_threadpool(lag.close)


def _search_client(settings: GatewaySettings) -> AsyncOpenSearch:
    password = settings.opensearch_password
    credentials = (
        None
        if settings.opensearch_username is None or password is None
        else (settings.opensearch_username, password.get_secret_value())
    )
    return AsyncOpenSearch(
        hosts=[settings.opensearch_url],
        http_auth=credentials,
        ca_certs=settings.opensearch_ca_file,
        timeout=settings.search_timeout.total_seconds(),
        max_retries=1,
        retry_on_timeout=False,
        maxsize=32,
        http_compress=False,
    )
