"""Model answers that are kept: what passed its check is stored at once, so no replay pays twice."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from schemas.tables import MODEL_ANSWERS
from streams.clients.ollama import ModelAnswer, Models
from streams.clients.postgres import Database
from streams.pictures import Pictures
from streams.prompts import Prompt
from streams.stage import Work

Check = Callable[[ModelAnswer], None]
"""Raises if an answer cannot be used; a refused answer is not stored."""


class Answers:
    """Asks the chat model, or returns what it answered to the same prompt in this run before."""

    def __init__(self, database: Database, models: Models, pictures: Pictures) -> None:
        self._database = database
        self._models = models
        self._pictures = pictures

    @property
    def context_tokens(self) -> int:
        """Returns: the largest context that the chat model is asked for."""
        return self._models.context_tokens

    @property
    def chat_model(self) -> str:
        """Returns: the name of the model that answers."""
        return self._models.chat_model

    async def ask(
        self,
        work: Work,
        *,
        call: str,
        prompt: Prompt,
        schema: dict[str, Any],
        check: Check,
        pages: range,
    ) -> ModelAnswer:
        """Returns: an answer that passed `check`; `call` names its place in the step.

        A model that can see also gets the pictures of `pages` (indexes from 0).

        Raises: what `check` and the model client raise.
        """
        digest = _digest(self._models.chat_model, prompt, schema)
        known = await self._recall(work, call, digest)
        if known is not None:
            return known
        answer = await self._models.answer(
            system=prompt.system,
            user=prompt.user,
            schema=schema,
            images=await self._pictures.of(work, pages),
            # All steps of a bad document are one record to the breaker.
            record=work.document_id or work.request_id,
        )
        check(answer)
        await self._store(work, call, digest, answer)
        return answer

    async def _recall(self, work: Work, call: str, digest: str) -> ModelAnswer | None:
        query = select(MODEL_ANSWERS.c.model, MODEL_ANSWERS.c.answer).where(
            MODEL_ANSWERS.c.gpt_id == work.gpt_id,
            MODEL_ANSWERS.c.run_id == work.key.run_id,
            MODEL_ANSWERS.c.call == call,
            MODEL_ANSWERS.c.prompt_hash == digest,
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        content = row.answer["content"]
        return ModelAnswer(
            model=row.model,
            content=content,
            value=json.loads(content),
            logprobs=row.answer["logprobs"],
            recalled=True,
        )

    async def _store(self, work: Work, call: str, digest: str, answer: ModelAnswer) -> None:
        statement = insert(MODEL_ANSWERS).values(
            gpt_id=work.gpt_id,
            run_id=work.key.run_id,
            call=call,
            prompt_hash=digest,
            document_id=work.document_id,
            model=answer.model,
            answer={"content": answer.content, "logprobs": answer.logprobs},
        )
        async with self._database.transaction() as connection:
            await connection.execute(statement.on_conflict_do_nothing())


def _digest(model: str, prompt: Prompt, schema: dict[str, Any]) -> str:
    parts = [model, prompt.digest, json.dumps(schema, sort_keys=True)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
