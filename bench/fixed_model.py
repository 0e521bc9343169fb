"""A model server that answers after a fixed time with a fixed number of slots.

It speaks as much of Ollama's API as the workers use, and costs next to no CPU, so that what is
measured is the pipeline and not the model. Run as `python -m bench.fixed_model PORT MS SLOTS`.
"""

import asyncio
import hashlib
import json
import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DIMENSIONS = 384


def blank(schema: dict[str, Any]) -> object:
    """Returns: the least JSON of a schema: null where it may be, the first of an enumeration."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if isinstance(kind, list):
        return None
    if kind == "object":
        return {name: blank(each) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [blank(schema["items"])] if "candidates" in json.dumps(schema) else []
    return {"number": 0.9, "string": ""}.get(str(kind))


def vector(text: str) -> list[float]:
    """Returns: a vector of the right length that depends on the text alone."""
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[i % 32] - 127.5) / 2500 for i in range(DIMENSIONS)]


def application(seconds: float, slots: int) -> Starlette:
    """Returns: the server."""
    free = asyncio.Semaphore(slots)

    async def chat(request: Request) -> JSONResponse:
        asked = await request.json()
        schema = asked["format"]
        value = blank(schema)
        if "candidates" in schema["properties"]:
            names = schema["properties"]["candidates"]["items"]["properties"]["type"]["enum"]
            value = {"candidates": [{"type": names[0], "confidence": 0.9}]}
        async with free:
            await asyncio.sleep(seconds)
        message = {"role": "assistant", "content": json.dumps(value)}
        answer = {"model": asked["model"], "created_at": "2026-01-01T00:00:00Z", "done": True}
        return JSONResponse(
            {
                **answer,
                "message": message,
                "done_reason": "stop",
                "prompt_eval_count": 1,
                "eval_count": 1,
            }
        )

    async def embed(request: Request) -> JSONResponse:
        asked = await request.json()
        texts = asked["input"]
        texts = [texts] if isinstance(texts, str) else texts
        return JSONResponse({"model": asked["model"], "embeddings": [vector(t) for t in texts]})

    async def tags(_: Request) -> JSONResponse:
        names = ("fixed-chat:latest", "fixed-embed:latest")
        return JSONResponse({"models": [{"model": name, "name": name} for name in names]})

    async def show(_: Request) -> JSONResponse:
        return JSONResponse({"capabilities": ["completion"], "details": {}, "model_info": {}})

    async def version(_: Request) -> JSONResponse:
        return JSONResponse({"version": "0.0.0-fixed"})

    return Starlette(
        routes=[
            Route("/api/chat", chat, methods=["POST"]),
            Route("/api/embed", embed, methods=["POST"]),
            Route("/api/show", show, methods=["POST"]),
            Route("/api/tags", tags),
            Route("/api/version", version),
        ]
    )


if __name__ == "__main__":
    uvicorn.run(
        application(int(sys.argv[2]) / 1000, int(sys.argv[3])),
        port=int(sys.argv[1]),
        log_level="warning",
    )
