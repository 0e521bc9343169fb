"""The gateway's application: routes, edge, clients, and the server that runs it."""

import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from gateway import health as checks
from gateway import logs, openapi, problems
from gateway.lean import LeanRoute
from gateway.life import Life, Server
from gateway.metrics import Metrics
from gateway.middleware import Edge
from gateway.routes import (
    admin_gpts,
    admin_keys,
    batch_contents,
    batches,
    changes,
    collection_objects,
    collections,
    contents,
    dead_letters,
    document_types,
    documents,
    events,
    health,
    object_batches,
    object_changes,
    object_versions,
    objects,
    pings,
    reference,
    requests,
    reviews,
    search,
    uploads,
    webhook_deliveries,
    webhooks,
)
from gateway.routes import problems as problem_pages
from gateway.settings import GatewaySettings
from gateway.state import opened
from gateway.wire import SERVING

ROUTERS: Final = (
    objects.router,
    collection_objects.router,
    collections.router,
    collections.single,
    object_batches.router,
    object_changes.router,
    object_versions.router,
    uploads.router,
    documents.router,
    changes.router,
    batches.router,
    batch_contents.router,
    contents.router,
    reviews.router,
    search.router,
    requests.router,
    document_types.router,
    events.router,
    webhooks.router,
    webhook_deliveries.router,
    dead_letters.router,
    admin_gpts.router,
    admin_keys.router,
    pings.router,
    health.router,
    reference.router,
    problem_pages.router,
)
_GRACE_S: Final = 15
_KEEP_ALIVE_S: Final = 75
"""Longer than load balancers keep idle connections, so that it is they who close them."""

MODELS: Final = (
    *uploads.MODELS,
    *batches.MODELS,
    *document_types.MODELS,
    *events.MODELS,
    *collections.MODELS,
    *collection_objects.MODELS,
    *objects.MODELS,
    *object_batches.MODELS,
)


class Application(FastAPI):
    """FastAPI with the layers around its routes that do something here.

    `public_base` is what its links begin with, for what cannot be read as a call at all.
    """

    public_base = ""

    def build_middleware_stack(self) -> ASGIApp:
        """Returns: what serves a call: the edge around the routes.

        FastAPI would put handlers of errors on both sides of it, and limit bodies, which the edge
        does; and open a stack for the files of forms, which the routes that need one do themselves.
        """
        served: ASGIApp = self.router
        for each in reversed(self.user_middleware):
            served = each.cls(served, *each.args, **each.kwargs)
        return served


def create_app(settings: GatewaySettings) -> FastAPI:
    """Returns: the application; its lifespan opens the clients and closes them."""
    metrics, life = Metrics(), Life()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, metrics) as state:
            app.state.gateway = state
            app.state.health = checks.Health(state)
            yield

    app = _routed(lifespan=lifespan)
    app.state.life, app.public_base = life, settings.public_base
    url = settings.public_url or "/"
    app.openapi = functools.cache(lambda: openapi.document(app, MODELS, url))  # type: ignore[method-assign]
    problems.install(app)
    app.add_middleware(Edge, settings=settings, metrics=metrics, life=life)
    return app


def openapi_document() -> dict[str, Any]:
    """Returns: the OpenAPI 3.1 document of all routes, without opening anything."""
    return openapi.document(_routed(), MODELS, "/")


def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then drain; calls in flight get time to end."""
    logs.configure(settings)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        **SERVING,
    )

    def stop_waiting() -> None:
        # A signal may come before the lifespan has opened anything.
        if (state := getattr(app.state, "gateway", None)) is not None:
            state.results.stop_waiting()
            state.events.stop_streaming()

    server = Server(config, app.state.life, settings.drain, stop_waiting)
    server.run(sockets=[server.bind()])


def _routed(lifespan: Any = None) -> Application:  # noqa: ANN401 - Starlette's lifespan
    app = Application(
        title="actionstream",
        version=health.app_version(),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # The edge measures and logs every call itself.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                route.operation_id = route.name
                if not isinstance(route, LeanRoute):
                    route.app = AsyncExitStackMiddleware(route.app)
            # Included routers are searched twice for each call; their routes alone, once.
            app.router.routes.append(route)
    return app
