"""Checks of the gateway: its own view of the servers, and a request through the whole system."""

import asyncio
import time
from collections.abc import Callable

import httpx2

from cli.client import Gateway
from cli.doctor.check import Check, Wrong
from cli.settings import CommandLineSettings

_WAIT_S = 30


def checks(
    settings: CommandLineSettings, transport: httpx2.BaseTransport | None = None
) -> tuple[Check, ...]:
    """Returns: the checks of the gateway; `transport` stands in for the network in tests."""

    def opened() -> Gateway:
        return Gateway(settings, patience_s=0, transport=transport)

    start = "start it with `make run` or `actionstream gateway`, or set ACTIONSTREAM_GATEWAY_URL"
    worker = "start a worker with `actionstream worker`; its log says what it waits for"
    return (
        Check("gateway", lambda: asyncio.to_thread(_health, opened), start),
        Check("whole system", lambda: asyncio.to_thread(_ping, opened), worker),
    )


def _health(opened: Callable[[], Gateway]) -> str:
    with opened() as gateway:
        health = gateway.health()
    away = [one["name"] for one in health["dependencies"] if not one["ok"]]
    if away:
        raise Wrong(
            f"it is {health['status']}: {', '.join(away)} does not answer it",
            "see the check of that server here; its settings may differ from the gateway's",
        )
    return f"version {health['version']}, up for {health['uptime_s']:.0f} s, all servers answer it"


def _ping(opened: Callable[[], Gateway]) -> str:
    began = time.monotonic()
    with opened() as gateway:
        state = gateway.call(
            "POST", "/v1/pings", query={"wait_s": _WAIT_S}, body={"note": "doctor"}
        )
    took = (time.monotonic() - began) * 1000
    if state["status"] != "completed":
        raise Wrong(f"a request is {state['status']} after {took / 1000:.0f} s")
    return f"a request went through every part in {took:.0f} ms"
