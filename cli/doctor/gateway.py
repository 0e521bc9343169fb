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
        Check("workers", lambda: asyncio.to_thread(_workers, opened), worker),
        Check("backlog", lambda: asyncio.to_thread(_backlog, opened), worker),
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


def _workers(opened: Callable[[], Gateway]) -> str:
    with opened() as gateway:
        health = gateway.health()
    workers = health["workers"]
    if not workers:
        raise Wrong("no worker has given a sign of life within 15 s")
    for one in workers:
        for name, reason in one["stopped_stages"].items():
            raise Wrong(
                f"the stage {name} of a worker ({one['stages']}) has stopped: {reason}",
                "mend the cause, which its log tells, and start the worker anew",
            )
        for name, reason in one["waiting_for"].items():
            raise Wrong(f"a worker ({one['stages']}) waits for {name}: {reason}")
    for one in health["models"]:
        if one["state"] != "closed":
            raise Wrong(
                f"the breaker of {one['model']} ({one['used_by']}) is {one['state']}: "
                f"{one['reason']}",
                "see the checks of the models here; it closes by itself",
            )
    return f"{len(workers)} at work, the breakers of {len(health['models'])} models are closed"


def _backlog(opened: Callable[[], Gateway]) -> str:
    with opened() as gateway:
        found = gateway.health()["backlog"]
    if found["waiting_documents"] is None:
        return "how many documents wait is not known"
    wait = found["expected_wait_s"]
    takes = "" if wait is None else f"; one accepted now takes about {wait:.0f} s"
    return f"{found['waiting_documents']} documents wait{takes}"


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
