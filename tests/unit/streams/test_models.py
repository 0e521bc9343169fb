"""The model client: what it asks for, and how each kind of answer is understood."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from ollama import AsyncClient

from streams.clients.calls import Caps
from streams.clients.ollama import CutOff, Models, WrongModel
from streams.errors import DependencyDown, RecordTrouble

SCHEMA = {"type": "object", "properties": {"total": {"type": "string"}}}
Reply = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def models() -> Callable[..., Models]:
    """Makes a client whose server is a function."""

    def make(reply: Reply, **caps: Any) -> Models:
        client = AsyncClient(host="http://models.test", transport=httpx.MockTransport(reply))
        return Models(
            client,
            chat_model="chatty",
            embedding_model="minilm",
            caps=Caps(slots=2, **caps),
            context_tokens=8192,
        )

    return make


def chat(content: str, **changes: Any) -> httpx.Response:
    """An answer of /api/chat."""
    body = {
        "model": "chatty",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": content},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 10,
        **changes,
    }
    return httpx.Response(200, json=body)


async def test_an_answer_is_read_with_its_log_probabilities(models: Any) -> None:
    """The JSON, its text and each token's log probability come back."""
    logprobs = [{"token": '{"total": "', "logprob": 0.0}, {"token": '12"}', "logprob": -0.5}]

    answer = await models(lambda _: chat('{"total": "12"}', logprobs=logprobs)).answer(
        system="s", user="u", schema=SCHEMA
    )

    assert answer.value == {"total": "12"}
    assert answer.logprobs == logprobs


async def test_the_context_is_sized_from_the_input(models: Any) -> None:
    """A longer prompt asks for a larger context, with room for the answer, in steps."""
    asked: list[dict[str, Any]] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return chat("{}")

    client = models(reply)
    await client.answer(system="", user="a few words", schema=SCHEMA)
    await client.answer(system="", user="many words " * 2000, schema=SCHEMA, images=[b"jpeg"])

    small, large = asked
    assert small["options"]["num_ctx"] < large["options"]["num_ctx"]
    assert large["options"]["num_ctx"] % 2048 == 0
    assert small["format"] == SCHEMA
    assert (small["options"]["temperature"], small["logprobs"]) == (0, True)
    assert large["messages"][1]["images"] == ["anBlZw=="]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (lambda _: chat('{"total": "1', done_reason="length"), CutOff),
        (lambda _: chat("{}", prompt_eval_count=4096), CutOff),
        (lambda _: chat("I think that the total is 12."), RecordTrouble),
        (lambda _: chat(""), RecordTrouble),
        (lambda _: httpx.Response(404, json={"error": "model not found"}), DependencyDown),
        (lambda _: httpx.Response(503, json={"error": "server busy"}), DependencyDown),
    ],
)
async def test_each_bad_answer_has_its_kind(models: Any, reply: Reply, error: type) -> None:
    """Cut off, not JSON, a missing model, a busy one."""
    with pytest.raises(error):
        await models(reply).answer(system="s", user="u", schema=SCHEMA)


async def test_a_missing_model_says_how_to_get_it(models: Any) -> None:
    """The one clear error names the line to run."""
    reply = httpx.Response(404, json={"error": "model not found"})
    with pytest.raises(DependencyDown, match="ollama pull chatty"):
        await models(lambda _: reply).answer(system="s", user="u", schema=SCHEMA)


async def test_an_api_that_is_away_costs_no_attempt(models: Any) -> None:
    """A refused connection is everyone's trouble, not the record's."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(DependencyDown):
        await models(refuse).embed(["words"])


@pytest.mark.parametrize("vectors", [[], [[0.0, 0.0]], [[1.0], [1.0]]])
async def test_unusable_vectors_are_refused(models: Any, vectors: list[list[float]]) -> None:
    """Too few, zero, or too many vectors never reach the index."""
    reply = httpx.Response(200, json={"model": "minilm", "embeddings": vectors})
    with pytest.raises(RecordTrouble, match="unusable"):
        await models(lambda _: reply).embed(["words"])


async def test_every_text_is_prepared(models: Any) -> None:
    """Accents and symbols reach every backend in the same form."""
    asked: list[Any] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content)["input"])
        return httpx.Response(200, json={"model": "minilm", "embeddings": [[1.0]]})

    await models(reply).embed(["Naïve Café+1"])

    assert asked == [["naive cafe + 1"]]


async def test_a_backend_that_computes_something_else_is_found(models: Any) -> None:
    """The eight probes tell a wrong tokeniser from the model it claims to be."""

    def reply(request: httpx.Request) -> httpx.Response:
        count = len(json.loads(request.content)["input"])
        return httpx.Response(200, json={"model": "m", "embeddings": [[1.0] * 384] * count})

    with pytest.raises(WrongModel, match="use another backend"):
        await models(reply).check_embeddings()


async def test_a_ping_learns_whether_the_model_sees(models: Any) -> None:
    """The capability `vision` decides whether page pictures are sent."""
    names = {"models": [{"model": "chatty:latest"}, {"model": "minilm:latest"}]}
    shown = {"capabilities": ["completion", "vision"], "model_info": {}}

    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=names if request.url.path == "/api/tags" else shown)

    client = models(reply)
    await client.ping()

    assert client.sees
