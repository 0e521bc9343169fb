"""The API's own description: OpenAPI, AsyncAPI, and a page to read it on without a network."""

import base64
import functools
import hashlib
import json
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, Response

from gateway import openapi
from gateway.routes.health import app_version

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def get_openapi_document(
    request: Request, tags: Annotated[str | None, Query(max_length=512)] = None
) -> Response:
    """The OpenAPI 3.1 document of this gateway; of it what has these tags, for GPTs."""
    whole = await run_in_threadpool(request.app.openapi)
    if tags is not None:
        names = frozenset(name.strip() for name in tags.split(",") if name.strip())
        whole = await run_in_threadpool(openapi.selected, whole, names)
    return JSONResponse(whole)


@router.get("/asyncapi.json")
async def get_asyncapi_document() -> Response:
    """The AsyncAPI 3 document of the topics."""
    return Response(await run_in_threadpool(_asyncapi), media_type="application/json")


@router.get("/docs", response_class=HTMLResponse)
@router.get("/redoc", response_class=HTMLResponse)
async def get_reference() -> HTMLResponse:
    """A page that shows the OpenAPI document and sends calls; it loads nothing from elsewhere."""
    page, policy = _page()
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


@functools.cache
def _asyncapi() -> bytes:
    # Only here: the examples that it reads are of no use to any other call.
    from schemas import asyncapi  # noqa: PLC0415

    return json.dumps(asyncapi.document(app_version())).encode()


@functools.cache
def _page() -> tuple[str, str]:
    """Returns: the page, and the policy that lets its own script and style run and nothing else."""
    folder = resources.files("gateway") / "reference"
    script = (folder / "reference.js").read_text(encoding="utf-8")
    style = (folder / "reference.css").read_text(encoding="utf-8")
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>API reference</title>'
        f"<style>{style}</style></head><body><main id=main>Loading…</main>"
        f"<script>{script}</script></body></html>"
    )
    policy = (
        f"default-src 'none'; connect-src 'self'; script-src {_hash(script)}; "
        f"style-src {_hash(style)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
