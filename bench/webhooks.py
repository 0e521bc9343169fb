"""Webhooks: deliveries a second, and the others' latency while one endpoint in ten is dead."""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text

from bench.hooks import LOOPBACK, Receiver, Source, await_true, receiving
from bench.percentiles import percentile
from bench.stack import Stack, stack

TENANTS: Final = 10
ENDPOINTS: Final = 10
"""Of each tenant; where there is a dead one, it is one of them."""

_PATIENCE_S: Final = 300
_SETTLE_S: Final = 3.0


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=4, help="of a phase of each kind")
    parser.add_argument("--seconds", type=float, default=15, help="of each phase")
    parser.add_argument("--events", type=float, default=1.0, help="a second and tenant")
    parser.add_argument("--backlog", type=int, default=50, help="events a tenant, all at once")
    given = parser.parse_args()
    with stack(webhook_allowed_networks=LOOPBACK, partitions="4") as made, receiving() as receiver:
        for number in range(given.workers):
            made.worker(f"worker-{number}", "--stages", "webhooks")
        found = asyncio.run(measure(made, receiver, given))
    print(json.dumps(found, indent=2))


async def measure(made: Stack, receiver: Receiver, given: argparse.Namespace) -> dict[str, Any]:
    """Returns: all figures; latencies in ms from the commit of an event to its arrival."""
    source = Source(made.settings)
    groups = {kind: await _tenants(source, receiver, kind) for kind in ("sound", "mixed")}
    load = os.getloadavg()[0]
    await _phase(source, receiver, groups["sound"], given.events, 5)
    latencies: dict[str, list[float]] = {kind: [] for kind in groups}
    # In turns, so that what else the machine does meets both alike.
    for kind in ("sound", "mixed") * given.rounds:
        latencies[kind] += await _phase(source, receiver, groups[kind], given.events, given.seconds)
    drained = await _drain(source, receiver, groups["sound"], given.backlog)
    states = await _states(source)
    await source.database.close()
    return {
        "workers": given.workers,
        "endpoints": TENANTS * ENDPOINTS,
        "deliveries_per_s_offered": TENANTS * ENDPOINTS * given.events,
        "load_average_before_and_after": [round(load, 1), round(os.getloadavg()[0], 1)],
        "all_sound_ms": _figures(latencies["sound"]),
        "one_in_ten_dead_ms": _figures(latencies["mixed"]),
        "backlog": drained,
        "deliveries_by_state": states,
    }


async def _tenants(source: Source, receiver: Receiver, kind: str) -> list[str]:
    tenants = [f"{kind}-{number}" for number in range(TENANTS)]
    for gpt_id in tenants:
        for number in range(ENDPOINTS):
            dead = kind == "mixed" and number == 0
            path = f"{'dead' if dead else 'alive'}/{gpt_id}/{number}"
            await source.endpoint(gpt_id, receiver.url(path))
    return tenants


async def _phase(
    source: Source, receiver: Receiver, tenants: Sequence[str], per_s: float, seconds: float
) -> list[float]:
    """Returns: the latency in ms of each delivery to a living endpoint of a phase's events."""
    receiver.arrived.clear()
    happened: dict[tuple[str, int], float] = {}
    began = time.monotonic()
    # The tenants' events are spread over each second.
    for number in range(int(seconds * per_s * len(tenants))):
        wait = began + number / (per_s * len(tenants)) - time.monotonic()
        await asyncio.sleep(max(0.0, wait))
        happened |= await source.happen([tenants[number % len(tenants)]])
    await asyncio.sleep(_SETTLE_S)
    return _latencies(receiver, happened)


def _latencies(receiver: Receiver, happened: Mapping[tuple[str, int], float]) -> list[float]:
    return [
        (each.at - happened[place]) * 1000
        for each in list(receiver.arrived)
        if not each.path.startswith("dead") and (place := (each.gpt_id, each.sequence)) in happened
    ]


async def _drain(
    source: Source, receiver: Receiver, tenants: Sequence[str], each: int
) -> dict[str, float]:
    """Returns: how many deliveries a second are made of a backlog, from its first arrival."""
    receiver.arrived.clear()
    await source.happen(tenants, each)
    wanted = len(tenants) * ENDPOINTS * each
    done = await asyncio.to_thread(await_true, lambda: len(receiver.arrived) >= wanted, _PATIENCE_S)
    times = sorted(arrival.at for arrival in list(receiver.arrived))
    seconds = times[-1] - times[0]
    rate = round(len(times) / seconds, 1)
    return {"deliveries": len(times), "seconds": round(seconds, 2), "per_s": rate, "all": done}


async def _states(source: Source) -> dict[str, int]:
    query = text("SELECT state, count(*) FROM webhook_deliveries GROUP BY state ORDER BY state")
    async with source.database.transaction() as connection:
        return dict([tuple(row) for row in await connection.execute(query)])


def _figures(values: Sequence[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        "deliveries": len(values),
        **{name: round(percentile(values, share), 1) for name, share in shares.items()},
    }


if __name__ == "__main__":
    main()
