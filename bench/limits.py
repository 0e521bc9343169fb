"""What it costs to know who calls and whether that is too often: in process, a call, a statement.

Authentication and counting as every call goes through them, without a server; requests a second of
one route of one gateway, with a key that is limited and with one that is not, in turn; and what a
hot key, or one beyond its limit, makes the database do.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any, Final

import httpx2
import psutil
import uvloop
from fastapi import Request
from sqlalchemy import create_engine, insert

from bench.load import Plan, measure
from bench.stack import Stack, stack
from gateway.access import authenticate
from gateway.limits.counting import count_key
from gateway.limits.store import Ask, Store
from gateway.metrics import Metrics
from gateway.settings import GatewaySettings
from gateway.state import State, opened
from schemas.keys import Key, mint
from schemas.rate_limits import Limit
from schemas.tables import API_KEYS

_PATH: Final = "/v1/documents/nothing"
"""Refused for its id without any look-up, so that the share of what is measured is greatest."""

_KEYS: Final = {
    "unlimited": "none",
    "limited": "key:600000/m,write:600000/m",
    "refused": "key:60/d",
}
_CURRENT: Final = "actionstream_key_changes_current"
_TAKINGS: Final = "actionstream_rate_limit_takings_total "


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests of one key: medians of all rounds. `cpu_us` is the gateway's, for one request."""

    key: str
    per_s: float
    p50: float
    p99: float
    cpu_us: float
    statements_per_s: float


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench limits", description=__doc__)
    parser.add_argument("--calls", type=int, default=50_000, help="in process (50000)")
    parser.add_argument("--rounds", type=int, default=5, help="of requests with each key (5)")
    parser.add_argument("--seconds", type=float, default=4, help="of each round (4)")
    parser.add_argument("--clients", type=int, default=16, help="that send requests (16)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def enter(made: Stack) -> dict[str, Key]:
    """Returns: new keys of the stack's tenant, with the limits of `_KEYS`."""
    url, pepper = made.settings.admin_database_url, made.environment["ACTIONSTREAM_KEY_PEPPER"]
    engine = create_engine((url or made.settings.database_url).get_secret_value())
    keys = {name: mint("bench") for name in _KEYS}
    with engine.begin() as connection:
        for name, key in keys.items():
            connection.execute(
                insert(API_KEYS).values(
                    key_id=key.key_id,
                    gpt_id=made.settings.gpt_id,
                    name=name,
                    scopes=["read", "write"],
                    rate_limits=_KEYS[name],
                    hash=key.hashed(pepper),
                )
            )
    engine.dispose()
    return keys


async def in_process(key: Key, calls: int) -> dict[str, float]:
    """Returns: microseconds of each part of a call, and of statements, by what it is."""
    settings = GatewaySettings()
    metrics = Metrics()
    async with opened(settings, metrics) as state:
        # Until news of keys come in each call reads its key; nothing tells when they do.
        while not metrics.registry.get_sample_value(_CURRENT):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        requests = _requests(state, key)
        principal = await authenticate(next(requests))
        account = await state.limits.admit_key(principal.key_id, principal.rate_limits, "write")

        async def authenticated() -> None:
            await authenticate(next(requests))

        async def counted() -> None:
            await count_key(next(requests), principal, _PATH, "write")

        async def told() -> None:
            account.headers(time.monotonic())

        async def nothing() -> None:
            next(requests)

        idle = await _cpu_us(nothing, calls)
        found = {
            "authentication": await _cpu_us(authenticated, calls) - idle,
            "counting in two buckets": await _cpu_us(counted, calls) - idle,
            "headers": await _cpu_us(told, calls),
        }
        found["all of it"] = sum(found.values())
    return found | await _statements(settings)


async def _cpu_us(call: Callable[[], Awaitable[object]], calls: int) -> float:
    """Returns: microseconds of CPU of a call that waits for nothing, the median of ten parts."""
    return await _median(call, calls, time.thread_time)


async def _statements(settings: GatewaySettings) -> dict[str, float]:
    store = Store(settings)

    def taking(count: int) -> Callable[[], Awaitable[object]]:
        asks = [Ask(f"bench:{number}", Limit(10**6, 60), 1) for number in range(count)]
        return lambda: store.take(asks)

    sizes = {1: "one bucket", 2: "two buckets", 100: "100 buckets"}
    found = {
        f"a statement of {said}": await _median(taking(count), 500, time.perf_counter)
        for count, said in sizes.items()
    }
    await store.close()
    return found


def _requests(state: State, key: Key) -> Iterator[Request]:
    """Yield the same request again and again, each time as a new object."""
    app = SimpleNamespace(state=SimpleNamespace(gateway=state))
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"accept", b"*/*")]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": _PATH, "headers": headers}
    while True:
        yield Request({**scope, "app": app, "state": {}})


async def _median(
    call: Callable[[], Awaitable[object]], calls: int, clock: Callable[[], float]
) -> float:
    each = []
    for _ in range(10):
        # What runs beside this gets its turn.
        await asyncio.sleep(0.01)
        began = clock()
        for _ in range(calls // 10):
            await call()
        each.append((clock() - began) / (calls // 10) * 1e6)
    return statistics.median(each)


def over_http(made: Stack, keys: dict[str, Key], options: argparse.Namespace) -> Iterator[Rate]:
    """Yield what each key got, all keys in turn in each round."""
    client = made.gateway()
    gateway = psutil.Process(made.processes["gateway"].pid)
    rounds: dict[str, list[tuple[float, ...]]] = {name: [] for name in keys}
    for _ in range(options.rounds):
        for name, key in keys.items():
            if name == "refused":
                _empty(client, key)
            plan = Plan(
                ports=[client.base_url.port or 0],
                requests=[
                    f"GET {_PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n"
                ],
                status=429 if name == "refused" else 404,
                clients=options.clients,
                seconds=options.seconds,
            )
            takings, cpu = _takings(client), sum(gateway.cpu_times()[:2])
            found = measure(plan)
            cpu_us = (sum(gateway.cpu_times()[:2]) - cpu) / found.last * 1e6
            per_s = (_takings(client) - takings) / (plan.seconds + plan.warm)
            rounds[name].append((found.per_s, found.p50, found.p99, cpu_us, per_s))
    for name, each in rounds.items():
        yield Rate(name, *(statistics.median(column) for column in zip(*each, strict=True)))


def _empty(client: httpx2.Client, key: Key) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    while client.get(_PATH, headers=headers).status_code != httpx2.codes.TOO_MANY_REQUESTS:
        pass


def _takings(client: httpx2.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(_TAKINGS))


def show_parts(parts: Mapping[str, float]) -> None:
    """Print the microseconds that `in_process` has found."""
    for name, microseconds in parts.items():
        print(f"{name:<28} {microseconds:8.1f} us", flush=True)


def main() -> None:
    """Measure and print."""
    options = _arguments()
    with stack(partitions="1") as made:
        keys = enter(made)
        parts = uvloop.run(in_process(keys["limited"], options.calls))
        rates = list(over_http(made, keys, options))
    if options.json:
        print(json.dumps({"microseconds": parts, "http": [asdict(one) for one in rates]}))
        return
    show_parts(parts)
    print(f"\n{options.clients} clients, GET {_PATH}")
    for one in rates:
        print(
            f"{one.key:<12} {one.per_s:8.0f} /s   p50 {one.p50:6.2f} ms   p99 {one.p99:6.2f} ms   "
            f"{one.cpu_us:6.0f} us CPU   "
            f"{one.statements_per_s:6.2f} statements/s"
        )
