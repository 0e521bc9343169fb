"""What the HTTP surface runs on: the two models, their slots, and the time an answer takes."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

from local.models.catalogue import Catalogue, Model
from local.models.completion import Answers, complete
from local.models.embedder import CONTEXT_LENGTH, Cancelled, Embedded, Embedder, TextTooLong
from local.models.refusal import Refused
from local.models.replies import Form, Reply
from local.models.requests import CompletionBody, Message
from local.models.slots import ClientGone, Slots, unless_gone

TOO_LONG = "the input length exceeds the context length"


@dataclass(frozen=True, slots=True)
class Service:
    """The models of one server.

    `answer_slots` bounds the answers that run at once and `embed_slots` the embeddings;
    `least_answer_s` is how long an answer holds its slot at the least, for benchmarks that need
    a model of known speed.
    """

    catalogue: Catalogue
    embedder: Embedder
    answers: Answers
    answer_slots: Slots
    embed_slots: Slots
    least_answer_s: float = field(default=0.0)

    def find(self, name: str | None) -> Model:
        """Return the model called `name`.

        Raises:
            Refused: 404 when there is none.
        """
        model = self.catalogue.find(name)
        if model is None:
            raise Refused(404, f"model '{name or ''}' not found")
        return model

    async def answer(
        self, request: Request, body: CompletionBody, messages: Sequence[Message], form: Form
    ) -> Reply:
        """Answer `messages` in a slot of its own, unless the client goes away first.

        Raises:
            Refused: 503 when too many wait, 400 when the input or the format does not fit.
            ClientGone: the connection closed.
        """
        began = time.perf_counter_ns()
        model = self.find(body.model)

        async def work() -> Reply:
            async with self.answer_slots.hold():
                loaded = time.perf_counter_ns()
                done = await asyncio.to_thread(
                    complete, self.answers, messages, body, model.context_length
                )
                spent = (time.perf_counter_ns() - loaded) / 1e9
                await asyncio.sleep(max(0.0, self.least_answer_s - spent))
                return Reply(
                    model=body.model or "",
                    form=form,
                    completion=done,
                    load_ns=loaded - began,
                    total_ns=time.perf_counter_ns() - began,
                    top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
                )

        return await unless_gone(request, work())

    async def embed(
        self,
        request: Request,
        texts: Sequence[str],
        *,
        limit: int | None = None,
        truncate: bool = True,
    ) -> Embedded:
        """Embed `texts` in a slot of their own; when the client goes away the rest is dropped.

        Raises:
            Refused: 503 when too many wait, 400 when a text is too long and `truncate` is off.
            ClientGone: the connection closed.
        """
        gone = threading.Event()

        async def work() -> Embedded:
            async with self.embed_slots.hold():
                return await asyncio.to_thread(
                    self.embedder.embed,
                    texts,
                    limit=limit or CONTEXT_LENGTH,
                    truncate=truncate,
                    cancelled=gone.is_set,
                )

        try:
            return await unless_gone(request, work())
        except TextTooLong as error:
            raise Refused(400, TOO_LONG) from error
        except Cancelled as error:
            raise ClientGone from error
        finally:
            gone.set()
