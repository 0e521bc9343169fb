"""Models behind the native Ollama API: answers in a JSON schema, and embeddings.

Every call has a hard time limit, a context sized from its input, and a check that nothing was cut
off.
Source: Ollama HTTP API, POST /api/chat and POST /api/embed.
"""

import asyncio
import json
import math
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from ollama import AsyncClient, ResponseError
from pydantic import ValidationError

from schemas.embedding_text import (
    DISAGREEMENT_LIMIT,
    PROBES,
    REFERENCE_PATH,
    disagreement,
    parse_reference,
    prepare,
)
from streams.errors import DependencyDown, RecordTrouble
from streams.extraction import estimate_tokens

_ANSWER_TOKENS: Final = 2048
_CONTEXT_STEP: Final = 2048
"""Contexts grow in steps, because a model is loaded anew for every other size."""
_EMBED_BATCH: Final = 32
_NOT_FOUND: Final = 404
_BUSY: Final = 503
_NAME: Final = "models"


class CutOff(RecordTrouble):
    """The answer, or the prompt, was longer than the model's limit: less at once may fit."""


class WrongModel(Exception):
    """The embedding backend does not compute the model that it is named after."""

    def __init__(self, model: str, distance: float) -> None:
        super().__init__(
            f"{model} answers with vectors that are not all-MiniLM-L6-v2's (one is {distance:.3f} "
            "away in cosine): the index would mix two models; use another backend or model name"
        )


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A model's answer: its text, that text as JSON, and each token with its log probability.

    `recalled` says that it was stored before and not asked for now.
    """

    model: str
    content: str
    value: Any
    logprobs: list[dict[str, Any]] | None = None
    recalled: bool = False


class Models:
    """The models of one Ollama API, each with so many calls in flight at most."""

    def __init__(
        self,
        client: AsyncClient,
        *,
        chat_model: str,
        embedding_model: str,
        slots: int,
        timeout_seconds: float,
        context_tokens: int,
    ) -> None:
        self._client = client
        self.chat_model = chat_model
        self.embedding_model = embedding_model
        self.sees = False
        self._timeout = timeout_seconds
        self.context_tokens = context_tokens
        self._slots = {model: asyncio.Semaphore(slots) for model in {chat_model, embedding_model}}

    async def answer(
        self, *, system: str, user: str, schema: dict[str, Any], images: Sequence[bytes] = ()
    ) -> ModelAnswer:
        """Ask the chat model for JSON of this schema.

        Raises: RecordTrouble: no answer in time, an answer that was cut off, or none that is JSON.
            DependencyDown: the API is away or busy, or the model is missing.
        """
        prompt_tokens = estimate_tokens(system + user)
        # What is extracted from a text is seldom longer than the text.
        answer_tokens = max(_ANSWER_TOKENS, prompt_tokens)
        context = -(-(prompt_tokens + answer_tokens) // _CONTEXT_STEP) * _CONTEXT_STEP
        message: dict[str, Any] = {"role": "user", "content": user}
        if images:
            message["images"] = [b64encode(image).decode() for image in images]
        async with self._call(self.chat_model):
            response = await self._client.chat(
                model=self.chat_model,
                messages=[{"role": "system", "content": system}, message],
                format=schema,
                stream=False,
                logprobs=True,
                keep_alive="10m",
                options={
                    "temperature": 0,
                    "seed": 1,
                    "num_ctx": context,
                    "num_predict": answer_tokens,
                },
            )
        if response.done_reason == "length":
            raise CutOff(_NAME, "the model's answer was cut off at its length limit")
        if (response.prompt_eval_count or 0) >= context:
            raise CutOff(_NAME, "the prompt was cut off at the model's context")
        content = response.message.content or ""
        try:
            value = json.loads(content)
        except ValueError as error:
            raise RecordTrouble(_NAME, "the model's answer is not JSON") from error
        given = response.logprobs or ()
        logprobs = [{"token": item.token, "logprob": item.logprob} for item in given] or None
        return ModelAnswer(self.chat_model, content, value, logprobs)

    async def check_embeddings(self) -> None:
        """Embed eight texts that backends are known to get wrong, and compare.

        Only the model whose vectors are known is checked: all-MiniLM-L6-v2, under any name that
        says so.

        Raises: WrongModel: the backend computes something else. And as `embed` does.
        """
        if "minilm" not in self.embedding_model.lower():
            return
        vectors = await self.embed([probe.text for probe in PROBES])
        reference = parse_reference(REFERENCE_PATH.read_text(encoding="utf-8"))
        distance = disagreement(vectors, reference)
        if distance > DISAGREEMENT_LIMIT:
            raise WrongModel(self.embedding_model, distance)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Returns: one vector per text, in their order, each of unit length.

        Raises: RecordTrouble: no answer in time, or vectors that cannot be. DependencyDown: the
            API is away or busy, or the model is missing.
        """
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _EMBED_BATCH):
            batch = [prepare(text) or "." for text in texts[start : start + _EMBED_BATCH]]
            async with self._call(self.embedding_model):
                response = await self._client.embed(
                    model=self.embedding_model, input=batch, truncate=True, keep_alive="10m"
                )
            vectors.extend(list(vector) for vector in response.embeddings)
        if len(vectors) != len(texts) or not all(_usable(vector) for vector in vectors):
            raise RecordTrouble(_NAME, "the embedding model answered with unusable vectors")
        return vectors

    async def ping(self) -> None:
        """Learn whether the chat model can see, if all is there.

        Raises: DependencyDown: the API is away, or a model is missing.
        """
        async with self._call(self.embedding_model):
            known = {model.model for model in (await self._client.list()).models}
        for model in (self.chat_model, self.embedding_model):
            if model not in known and f"{model}:latest" not in known:
                raise DependencyDown(_NAME, _missing(model))
        async with self._call(self.chat_model):
            shown = await self._client.show(self.chat_model)
        self.sees = "vision" in (shown.capabilities or ())

    @asynccontextmanager
    async def _call(self, model: str) -> AsyncIterator[None]:
        async with self._slots[model]:
            try:
                async with asyncio.timeout(self._timeout):
                    yield
            except TimeoutError as error:
                detail = f"{model} did not answer within {self._timeout:g} s"
                raise RecordTrouble(_NAME, detail) from error
            except ResponseError as error:
                if error.status_code == _NOT_FOUND:
                    raise DependencyDown(_NAME, _missing(model)) from error
                if error.status_code == _BUSY:
                    raise DependencyDown(_NAME, "the model server is busy") from error
                detail = f"{model} answered with status {error.status_code}"
                raise RecordTrouble(_NAME, detail) from error
            except (ValidationError, json.JSONDecodeError) as error:
                detail = "the model server's answer does not have the form of Ollama's API"
                raise RecordTrouble(_NAME, detail) from error
            except httpx.TimeoutException as error:
                raise RecordTrouble(_NAME, f"{model} did not answer in time") from error
            except (ConnectionError, httpx.TransportError) as error:
                raise DependencyDown(_NAME, "the model server does not answer") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()  # type: ignore[no-untyped-call]


def connect(
    url: str,
    *,
    chat_model: str,
    embedding_model: str,
    slots: int,
    timeout_seconds: float,
    context_tokens: int,
) -> Models:
    """Returns: the models; a connection is opened when it is first needed."""
    client = AsyncClient(host=url, timeout=timeout_seconds, trust_env=False)
    return Models(
        client,
        chat_model=chat_model,
        embedding_model=embedding_model,
        slots=slots,
        timeout_seconds=timeout_seconds,
        context_tokens=context_tokens,
    )


def _usable(vector: Sequence[float]) -> bool:
    return any(vector) and all(map(math.isfinite, vector))


def _missing(model: str) -> str:
    return f"the model {model} is missing; run `ollama pull {model}` where the model server runs"
