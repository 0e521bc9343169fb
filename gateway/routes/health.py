"""Health, readiness, liveness and metrics; at the root, without a key."""

import time
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool

from gateway import health
from gateway.deps import StateDep
from schemas.api.health import Health, Readiness

router = APIRouter(tags=["operations"])

_STARTED: Final = time.monotonic()
_UNAVAILABLE: Final = 503


@router.get("/health", responses={503: {"model": Health}})
async def get_health(request: Request, response: Response) -> Health:
    """Servers, workers, models and the backlog; degraded or worse says why in detail."""
    checks: health.Health = request.app.state.health
    found = await checks.report()
    if found.status == "unavailable":
        response.status_code = _UNAVAILABLE
    return Health(
        status=found.status,
        detail=list(found.detail),
        version=app_version(),
        uptime_s=round(time.monotonic() - _STARTED, 1),
        dependencies=list(found.dependencies),
        workers=list(found.workers),
        models=list(found.models),
        backlog=found.backlog,
    )


@router.get("/ready", responses={503: {"model": Readiness}})
async def get_readiness(request: Request, response: Response, state: StateDep) -> Readiness:
    """Whether this gateway should get traffic: 200 if so, else 503 with what is missing."""
    checks: health.Health = request.app.state.health
    missing = [
        one.name
        for one in (await checks.report()).dependencies
        if not one.ok and one.name in health.REQUIRED
    ]
    if not state.results.ready:
        missing.append("results")
    if request.app.state.life.draining:
        missing.append("the end: this gateway stops, ask another")
    if missing:
        response.status_code = _UNAVAILABLE
    return Readiness(ready=not missing, waiting_for=missing)


@router.get("/live", response_class=Response, status_code=204)
async def get_liveness() -> None:
    """Whether the process answers at all."""


@router.get("/metrics", response_class=Response)
async def get_metrics(state: StateDep) -> Response:
    """Metrics in Prometheus' text format."""
    body = await run_in_threadpool(generate_latest, state.metrics.registry)
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def app_version() -> str:
    """Returns: the version of the installed distribution."""
    try:
        return version("actionstream")
    except PackageNotFoundError:
        return "0"
