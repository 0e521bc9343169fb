"""The gateway's application: routes, edge, clients, and the server that runs it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute

from gateway import health as checks
from gateway import logs, openapi, problems
from gateway.metrics import Metrics
from gateway.middleware import Edge
from gateway.routes import documents, health, pings, requests, uploads
from gateway.settings import GatewaySettings
from gateway.state import opened

ROUTERS: Final = (
    uploads.router,
    documents.router,
    requests.router,
    pings.router,
    health.router,
)


def create_app(settings: GatewaySettings) -> FastAPI:
    """Returns: the application; its lifespan opens the clients and closes them."""
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, metrics) as state:
            app.state.gateway = state
            app.state.health = checks.Health(state)
            yield

    app = _routed(lifespan=lifespan)
    app.state.public_url = settings.public_url
    problems.install(app)
    app.add_middleware(Edge, settings=settings, metrics=metrics)
    return app


def openapi_document() -> dict[str, Any]:
    """Returns: the OpenAPI 3.1 document of all routes, without opening anything."""
    return openapi.document(_routed())


def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT; calls in flight get time to end."""
    logs.configure(settings)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_graceful_shutdown=settings.max_wait_s + 5,
    )


def _routed(lifespan: Any = None) -> FastAPI:  # noqa: ANN401 - Starlette's lifespan
    app = FastAPI(
        title="actionstream",
        version=health.app_version(),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=lifespan,
    )
    for router in ROUTERS:
        app.include_router(router)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
