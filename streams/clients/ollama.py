"""Models behind the native Ollama API: answers in a JSON schema, and embeddings.

Every call has a context sized from its input and a check that nothing was cut off; what holds for
all of them is in `streams/clients/calls.py`.
Source: Ollama HTTP API, POST /api/chat and POST /api/embed.
"""

import json
import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ollama import AsyncClient

from schemas.embedding_text import (
    DISAGREEMENT_LIMIT,
    PROBES,
    REFERENCE_PATH,
    disagreement,
    parse_reference,
    prepare,
)
from streams.clients.calls import NAME, Calls, Caps, ModelMissing, Transport, bounded
from streams.errors import DependencyDown, RecordTrouble
from streams.extraction import estimate_tokens
from streams.settings import Settings

_ANSWER_TOKENS: Final = 2048
_CONTEXT_STEP: Final = 2048
"""Contexts grow in steps, because a model is loaded anew for every other size."""
_EMBED_BATCH: Final = 32
_KEEP_ALIVE: Final = "10m"
_PROBE_TOKENS: Final = 16
_PROBE_SCHEMA: Final = {
    "type": "object",
    "properties": {"word": {"type": "string"}, "done": {"type": "boolean"}},
    "required": ["word", "done"],
}


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
    """The models of one Ollama API, each with its own slots and breaker."""

    def __init__(
        self,
        client: AsyncClient,
        *,
        chat_model: str,
        embedding_model: str,
        caps: Caps,
        context_tokens: int,
    ) -> None:
        self._client = client
        self.chat_model = chat_model
        self.embedding_model = embedding_model
        self.sees = False
        self.context_tokens = context_tokens
        self._caps = caps
        self._calls = {chat_model: Calls(chat_model, caps, self._probe_chat)}
        self._embedder(embedding_model)

    async def answer(
        self,
        *,
        system: str,
        user: str,
        schema: dict[str, Any],
        images: Sequence[bytes] = (),
        record: str | None = None,
    ) -> ModelAnswer:
        """Ask the chat model for JSON of this schema.

        `record` names whose call it is: many failures of one do not speak for the others.

        Raises: RecordTrouble: no answer in time, an answer that was cut off, or none that is JSON.
            DependencyDown: the API is away or busy, the model is missing, or its breaker is open.
        """
        answer_tokens, context = _sizes(estimate_tokens(system + user))
        message: dict[str, Any] = {"role": "user", "content": user}
        if images:
            message["images"] = [b64encode(image).decode() for image in images]
        async with self._calls[self.chat_model].one(record):
            response = await self._client.chat(
                model=self.chat_model,
                messages=[{"role": "system", "content": system}, message],
                format=schema,
                stream=False,
                logprobs=True,
                keep_alive=_KEEP_ALIVE,
                options={
                    "temperature": 0,
                    "seed": 1,
                    "num_ctx": context,
                    "num_predict": answer_tokens,
                },
            )
        if response.done_reason == "length":
            raise CutOff(NAME, "the model's answer was cut off at its length limit")
        if (response.prompt_eval_count or 0) >= context:
            raise CutOff(NAME, "the prompt was cut off at the model's context")
        content = response.message.content or ""
        try:
            value = json.loads(content)
        except ValueError as error:
            raise RecordTrouble(NAME, "the model's answer is not JSON") from error
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

    async def embed(
        self, texts: Sequence[str], *, model: str | None = None, record: str | None = None
    ) -> list[list[float]]:
        """Returns: one vector per text, in their order, each of unit length.

        `model` is the one that an index's vectors are of; the one of the settings if absent.
        `record` names whose call it is, as in `answer`.

        Raises: RecordTrouble: no answer in time, or vectors that cannot be. DependencyDown: the
            API is away or busy, the model is missing, or its breaker is open.
        """
        model = model or self.embedding_model
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _EMBED_BATCH):
            batch = [prepare(text) or "." for text in texts[start : start + _EMBED_BATCH]]
            async with self._embedder(model).one(record):
                response = await self._client.embed(
                    model=model, input=batch, truncate=True, keep_alive=_KEEP_ALIVE
                )
            vectors.extend(list(vector) for vector in response.embeddings)
        if len(vectors) != len(texts) or not all(_usable(vector) for vector in vectors):
            raise RecordTrouble(NAME, "the embedding model answered with unusable vectors")
        return vectors

    async def ping(self) -> None:
        """Learn whether the chat model can see, if all is there.

        Raises: DependencyDown: the API is away, or a model is missing.
        """
        try:
            async with bounded(self.chat_model, self._caps.probe):
                known = {model.model for model in (await self._client.list()).models}
                for model in (self.chat_model, self.embedding_model):
                    if model not in known and f"{model}:latest" not in known:
                        raise ModelMissing(model)
                shown = await self._client.show(self.chat_model)
        except RecordTrouble as error:
            raise DependencyDown(NAME, error.detail) from error
        self.sees = "vision" in (shown.capabilities or ())

    def states(self) -> dict[str, dict[str, str | None]]:
        """Returns: of each model, its breaker's `state` and, unless closed, the `reason`."""
        return {
            model: {"state": calls.breaker.state.value, "reason": calls.breaker.reason}
            for model, calls in self._calls.items()
        }

    async def _probe_chat(self) -> None:
        # Of the size that most calls ask for, so that the model is not loaded anew between them.
        _, context = _sizes(1)
        await self._client.chat(
            model=self.chat_model,
            messages=[{"role": "user", "content": "Answer in JSON: say yes."}],
            format=_PROBE_SCHEMA,
            stream=False,
            keep_alive=_KEEP_ALIVE,
            options={"temperature": 0, "num_ctx": context, "num_predict": _PROBE_TOKENS},
        )

    def _embedder(self, model: str) -> Calls:
        # A rebuild may ask for a model that the settings do not name.
        if model not in self._calls:

            async def probe() -> None:
                await self._client.embed(model=model, input="probe", keep_alive=_KEEP_ALIVE)

            self._calls[model] = Calls(model, self._caps, probe)
        return self._calls[model]

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()  # type: ignore[no-untyped-call]


def connect(
    url: str, *, chat_model: str, embedding_model: str, caps: Caps, context_tokens: int
) -> Models:
    """Returns: the models; a connection is opened when it is first needed."""
    client = AsyncClient(
        host=url, timeout=caps.timeout.total_seconds(), trust_env=False, transport=Transport()
    )
    return Models(
        client,
        chat_model=chat_model,
        embedding_model=embedding_model,
        caps=caps,
        context_tokens=context_tokens,
    )


def of(settings: Settings) -> Models:
    """Returns: the models that the settings name."""
    return connect(
        settings.ollama_url,
        chat_model=settings.chat_model,
        embedding_model=settings.embedding_model,
        caps=Caps.of(settings),
        context_tokens=settings.model_context_tokens,
    )


def _sizes(prompt_tokens: int) -> tuple[int, int]:
    """Returns: how many tokens an answer may have, and the context that has room for both."""
    # What is extracted from a text is seldom longer than the text.
    answer_tokens = max(_ANSWER_TOKENS, prompt_tokens)
    context = -(-(prompt_tokens + answer_tokens) // _CONTEXT_STEP) * _CONTEXT_STEP
    return answer_tokens, context


def _usable(vector: Sequence[float]) -> bool:
    return any(vector) and all(map(math.isfinite, vector))
