"""The HTTP surface: Ollama's calls, each a short function over the models.

Reads request bodies up to `MAX_BODY_BYTES`; writes nothing and logs no text.
"""

import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from local.models import catalogue, replies
from local.models.hosts import OwnHostOnly
from local.models.refusal import Refused
from local.models.replies import Form, Reply
from local.models.requests import (
    MAX_TOP_LOGPROBS,
    ChatBody,
    CompletionBody,
    EmbedBody,
    EmbeddingsBody,
    GenerateBody,
    Message,
    ShowBody,
    parse,
)
from local.models.service import Service
from local.models.slots import ClientGone

MAX_BODY_BYTES = 64 * 2**20

FIXED = (
    "this is the local model server: its models local-minilm and local-extractive are built in, "
    "and it neither fetches, makes, copies nor removes any"
)
"""What every call that would change the set of models is told."""

_CHANGING = ("pull", "push", "create", "copy")
_CLIENT_CLOSED = 499


def create_app(service: Service) -> Starlette:
    """Return the application over `service`."""
    app = Starlette(
        routes=[
            Route("/", _alive),
            Route("/api/version", _version),
            Route("/api/tags", _tags),
            Route("/api/ps", _running),
            Route("/api/show", _show, methods=["POST"]),
            Route("/api/embed", _embed, methods=["POST"]),
            Route("/api/embeddings", _embeddings, methods=["POST"]),
            Route("/api/chat", _chat, methods=["POST"]),
            Route("/api/generate", _generate, methods=["POST"]),
            *(Route(f"/api/{verb}", _fixed, methods=["POST"]) for verb in _CHANGING),
            Route("/api/delete", _fixed, methods=["DELETE"]),
            Route("/api/blobs/{digest}", _fixed, methods=["POST", "HEAD"]),
        ],
        middleware=[Middleware(OwnHostOnly)],
        exception_handlers={
            Refused: _refused,
            ClientGone: _gone,
            ClientDisconnect: _gone,
            HTTPException: _elsewhere,
            Exception: _broken,
        },
    )
    app.state.service = service
    return app


async def _alive(_: Request) -> Response:
    """Say that the server is up, in Ollama's words."""
    return PlainTextResponse("Ollama is running")


async def _version(_: Request) -> Response:
    """Return the version of the API."""
    return _json({"version": catalogue.VERSION})


async def _tags(request: Request) -> Response:
    """List the models."""
    return _json(_service(request).catalogue.tags())


async def _running(request: Request) -> Response:
    """List the models that were asked for lately."""
    return _json(_service(request).catalogue.running())


async def _show(request: Request) -> Response:
    """Describe one model."""
    body = parse(ShowBody, await _read(request))
    name = body.model or body.name
    if not name:
        raise Refused(400, "model is required")
    service = _service(request)
    return _json(service.catalogue.show(service.find(name)))


async def _embed(request: Request) -> Response:
    """Embed one text or many: unit vectors, cut to `dimensions` and made unit again if asked."""
    began = time.perf_counter_ns()
    body = parse(EmbedBody, await _read(request))
    service = _service(request)
    _ready_to_embed(service, body.model, body.keep_alive_s())
    texts = [body.input] if isinstance(body.input, str) else body.input or []
    if texts in ([], [""]) and not isinstance(body.input, list):
        return _json({"model": body.model, "embeddings": []})
    loaded = time.perf_counter_ns()
    limit = body.options.num_ctx if body.options else None
    done = await service.embed(request, texts, limit=limit, truncate=body.truncate is not False)
    return _json(
        {
            "model": body.model,
            "embeddings": _narrowed(done.vectors, body.dimensions or 0),
            "total_duration": time.perf_counter_ns() - began,
            "load_duration": loaded - began,
            "prompt_eval_count": done.token_count,
        }
    )


async def _embeddings(request: Request) -> Response:
    """Embed one text, as the older call does."""
    body = parse(EmbeddingsBody, await _read(request))
    service = _service(request)
    _ready_to_embed(service, body.model, body.keep_alive_s())
    if not body.prompt:
        return _json({"embedding": []})
    limit = body.options.num_ctx if body.options else None
    done = await service.embed(request, [body.prompt], limit=limit)
    return _json({"embedding": done.vectors[0]})


async def _chat(request: Request) -> Response:
    """Answer a conversation."""
    body = parse(ChatBody, await _read(request))
    lacking = ["tools"] if body.tools else []
    return await _complete(request, body, body.messages or [], "chat", lacking)


async def _generate(request: Request) -> Response:
    """Answer one prompt."""
    body = parse(GenerateBody, await _read(request))
    messages = []
    if body.prompt:
        system = [Message(role="system", content=body.system)] if body.system else []
        messages = [*system, Message(role="user", content=body.prompt, images=body.images)]
    return await _complete(request, body, messages, "generate", ["insert"] if body.suffix else [])


async def _complete(
    request: Request,
    body: CompletionBody,
    messages: list[Message],
    call: str,
    lacking: list[str],
) -> Response:
    """Answer a chat or generate call, or say what of it this model cannot do."""
    service = _service(request)
    model, form = service.find(body.model), _FORMS[call]
    keep_alive = body.keep_alive_s()
    if not 0 <= (body.top_logprobs or 0) <= MAX_TOP_LOGPROBS:
        raise Refused(400, f"top_logprobs must be between 0 and {MAX_TOP_LOGPROBS}")
    service.catalogue.keep(model, keep_alive)
    if not messages and not keep_alive:
        return _json(replies.empty(body.model or "", form, "unload"))
    if body.think:
        raise Refused(400, f'"{body.model}" does not support thinking')
    if model.capability != "completion":
        raise Refused(400, f'"{body.model}" does not support {call}')
    if lacking:
        raise Refused(400, f"{model.qualified} does not support {lacking[0]}")
    if not messages:
        return _json(replies.empty(body.model or "", form, "load"))
    if any(message.images for message in messages):
        raise Refused(400, "this model is missing data required for image input")
    reply = await service.answer(request, body, messages, form)
    if body.stream is False:
        return _json(reply.whole())
    return StreamingResponse(_lines(reply), media_type="application/x-ndjson")


_FORMS: dict[str, Form] = {"chat": replies.chat_form, "generate": replies.generate_form}


async def _lines(reply: Reply) -> AsyncIterator[bytes]:
    """Yield the lines of a reply; asynchronous, so that none of them costs a thread."""
    for line in reply.lines():
        yield line


async def _fixed(_: Request) -> Response:
    """Refuse to change the set of models."""
    raise Refused(400, FIXED)


def _ready_to_embed(service: Service, name: str | None, keep_alive_s: float) -> None:
    """Find the model and count it as loaded.

    Raises:
        Refused: 404 when there is no such model, 501 when it makes no embeddings.
    """
    model = service.find(name)
    if model.capability != "embedding":
        raise Refused(501, f'"{name}" does not support embeddings')
    service.catalogue.keep(model, keep_alive_s)


def _narrowed(vectors: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Return the first `dimensions` of each vector, of unit length again; all when 0 or more."""
    if not 0 < dimensions < vectors.shape[1]:
        return vectors
    narrow = vectors[:, :dimensions]
    norms = np.maximum(np.linalg.norm(narrow, axis=1, keepdims=True), 1e-12)
    return np.ascontiguousarray(narrow / norms, dtype=np.float32)


def _service(request: Request) -> Service:
    """Return the service of the application that got this request."""
    service: Service = request.app.state.service
    return service


async def _read(request: Request) -> bytes:
    """Return the body.

    Raises:
        Refused: 413 as soon as it is longer than `MAX_BODY_BYTES`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Refused(413, "request body too large")
    return bytes(body)


def _json(body: dict[str, Any], status: int = 200) -> Response:
    """Return `body` as JSON."""
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, status, media_type="application/json; charset=utf-8")


async def _refused(_: Request, error: Exception) -> Response:
    """Render a refusal."""
    if not isinstance(error, Refused):
        raise error
    return _json({"error": error.message}, error.status)


async def _gone(_: Request, __: Exception) -> Response:
    """Close the books on a request whose client went away; nobody reads this."""
    return Response(status_code=_CLIENT_CLOSED)


async def _broken(_: Request, __: Exception) -> Response:
    """Say that the fault is ours; the traceback goes to the log."""
    return _json({"error": "the local model server failed on this request"}, 500)


async def _elsewhere(_: Request, error: Exception) -> Response:
    """Answer unknown paths and methods as plain text, in the form of Ollama's router."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "404 page not found", 405: "405 method not allowed"}
    return PlainTextResponse(words.get(status, str(status)), status)
