"""Each call of the HTTP surface, without weights: bodies, statuses, and Ollama's words."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray

from local.models import app, catalogue
from local.models.embedder import Embedded, TextTooLong
from local.models.extractive import Extractive
from local.models.service import Service
from local.models.slots import Slots

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass
class Embedder:
    """Stands for the embedder with weights; texts over `limit` characters are too long."""

    of: Embed

    def embed(self, texts: Sequence[str], *, limit: int, truncate: bool, **_: object) -> Embedded:
        """Return the vectors, or refuse."""
        if not truncate and any(len(text) > limit for text in texts):
            raise TextTooLong
        return Embedded(self.of(texts), sum(map(len, texts)))


@dataclass
class Found:
    """What the extraction found."""

    values: Mapping[str, Any]
    scores: Mapping[str, Any]


def extract(text: str, schema: Mapping[str, Any]) -> Found:
    """Return the first word for each field."""
    names = schema["properties"]
    return Found(dict.fromkeys(names, text.split(maxsplit=1)[0]), dict.fromkeys(names, 0.5))


def serve(
    embed: Embed, *, parallel: int = 2, least_answer_s: float = 0.0, raised: bool = True
) -> httpx2.AsyncClient:
    """Return a client of a server without sockets."""
    service = Service(
        catalogue=catalogue.Catalogue(catalogue.load(), datetime.now(UTC)),
        embedder=Embedder(embed),  # type: ignore[arg-type]
        answers=Extractive(embed, extract),
        answer_slots=Slots(parallel, 2),
        embed_slots=Slots(1, 2),
        least_answer_s=least_answer_s,
    )
    transport = httpx2.ASGITransport(app.create_app(service), raise_app_exceptions=raised)
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost")


@pytest.fixture
async def client(embed: Embed) -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client of a server that answers as fast as it can."""
    async with serve(embed) as made:
        yield made


def talk(content: str, **more: object) -> dict[str, object]:
    """Return the body of a chat that is not streamed."""
    messages = [{"role": "user", "content": content}]
    return {"model": "local-extractive", "messages": messages, "stream": False, **more}


async def test_it_says_that_it_runs(client: httpx2.AsyncClient) -> None:
    """GET and HEAD of the root."""
    assert (await client.get("/")).text == "Ollama is running"
    assert (await client.head("/")).status_code == 200


async def test_extraction_answers_in_the_schema_with_scores(client: httpx2.AsyncClient) -> None:
    """Value tokens carry the logarithm of the score, and all tokens joined are the content."""
    schema = {"type": "object", "properties": {"who": {"type": ["string", "null"]}}}
    prompt = 'TASK: extract\n<document id="n">\nHarbour Foods\n</document id="n">'
    reply = (await client.post("/api/chat", json=talk(prompt, format=schema, logprobs=True))).json()
    assert json.loads(reply["message"]["content"]) == {"who": "Harbour"}
    tokens = [item["token"] for item in reply["logprobs"]]
    assert "".join(tokens) == reply["message"]["content"]
    [score] = {item["logprob"] for item in reply["logprobs"] if item["logprob"]}
    assert np.exp(score) == pytest.approx(0.5)


async def test_classification_ranks_the_types(client: httpx2.AsyncClient) -> None:
    """The candidates are those of the prompt, best first."""
    types = [{"name": "menu", "description": "dishes soup"}, {"name": "log", "description": "wind"}]
    prompt = (
        f"TASK: classify\n<types>{json.dumps(types)}</types>\n"
        '<document id="n">\nsoup and dishes\n</document id="n">'
    )
    reply = (await client.post("/api/chat", json=talk(prompt, format="json"))).json()
    candidates = json.loads(reply["message"]["content"])["candidates"]
    assert [candidate["type"] for candidate in candidates] == ["menu", "log"]


@pytest.mark.parametrize(("task", "key"), [("summarise", "summary"), ("answer", "answer")])
async def test_quotations(client: httpx2.AsyncClient, task: str, key: str) -> None:
    """Summary and answer quote the document, bare or in the schema."""
    document = "The rent is 85.00 a month for the garage."
    prompt = (
        f"TASK: {task}\n<question>What is the rent a month for the garage?</question>\n"
        f'<document id="n">\n{document}\n</document id="n">'
    )
    bare = (await client.post("/api/chat", json=talk(prompt))).json()
    assert bare["message"]["content"] == document
    schema = {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]}
    shaped = (await client.post("/api/chat", json=talk(prompt, format=schema))).json()
    assert json.loads(shaped["message"]["content"]) == {key: document}


async def test_plain_talk_quotes_what_was_said_or_declines(client: httpx2.AsyncClient) -> None:
    """Nothing is invented, also not for a schema."""
    said = "The garage costs 85.00 a month.\nWhat does the garage cost a month?"
    quoted = (await client.post("/api/chat", json=talk(said))).json()
    assert quoted["message"]["content"] == "The garage costs 85.00 a month."
    declined = (await client.post("/api/chat", json=talk("Who won?"))).json()
    assert "only quote" in declined["message"]["content"]
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    empty = (await client.post("/api/chat", json=talk("Who won?", format=schema))).json()
    assert json.loads(empty["message"]["content"]) == {"n": 0}


async def test_a_stream_is_a_line_a_token_and_a_last_one(client: httpx2.AsyncClient) -> None:
    """Joined contents are the answer; only the last line is done and has the counters."""
    body = {"model": "local-extractive", "prompt": "Who won?", "logprobs": True, "top_logprobs": 2}
    reply = await client.post("/api/generate", json=body)
    assert reply.headers["content-type"] == "application/x-ndjson"
    *lines, last = [json.loads(line) for line in reply.text.splitlines()]
    assert "only quote" in "".join(line["response"] for line in lines)
    assert [line["done"] for line in lines] == [False] * len(lines)
    assert lines[0]["logprobs"][0]["top_logprobs"][0]["token"] == lines[0]["response"]
    assert (last["done"], last["done_reason"], last["response"]) == (True, "stop", "")
    assert last["eval_count"] == len(lines)


async def test_embeddings_are_cut_and_made_unit_again(client: httpx2.AsyncClient) -> None:
    """Fewer dimensions, length one."""
    body = {"model": "local-minilm", "input": ["alpha beta", "gamma"], "dimensions": 16}
    reply = (await client.post("/api/embed", json=body)).json()
    vectors = np.array(reply["embeddings"])
    assert vectors.shape == (2, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("embed", {"model": "local-minilm", "input": ""}, {"embeddings": []}),
        ("embed", {"model": "local-minilm", "input": []}, {"embeddings": []}),
        ("embed", {"model": "local-minilm"}, {"embeddings": []}),
        ("embeddings", {"model": "local-minilm", "prompt": ""}, {"embedding": []}),
        ("chat", {"model": "local-extractive"}, {"done_reason": "load", "done": True}),
        ("generate", {"model": "local-extractive"}, {"done_reason": "load", "response": ""}),
        ("chat", {"model": "local-extractive", "keep_alive": 0}, {"done_reason": "unload"}),
    ],
)
async def test_calls_without_input(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    """They load or unload the model, as with Ollama."""
    reply = await client.post(f"/api/{path}", json=body)
    assert reply.status_code == 200
    assert reply.json().items() >= expected.items()


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("chat", {"model": "x"}, 404, "model 'x' not found"),
        ("embed", {"model": "x", "input": "a"}, 404, "model 'x' not found"),
        ("show", {"model": "x"}, 404, "model 'x' not found"),
        ("show", {}, 400, "model is required"),
        ("chat", {"model": "local-minilm", "messages": []}, 400, "does not support chat"),
        ("generate", {"model": "local-minilm", "prompt": "a"}, 400, "does not support generate"),
        ("embed", {"model": "local-extractive", "input": "a"}, 501, "does not support embeddings"),
        ("chat", talk("a", think=True), 400, "does not support thinking"),
        ("chat", talk("a", tools=[{"type": "function"}]), 400, "does not support tools"),
        ("chat", talk("a", top_logprobs=21), 400, "top_logprobs must be between 0 and 20"),
        ("chat", talk("a", keep_alive="soon"), 400, "invalid duration"),
        ("chat", talk("a", format="xml"), 400, "invalid format"),
        ("chat", talk("TASK: dance"), 400, "answers only the tasks"),
        ("chat", talk("TASK: classify"), 400, "needs a <types> block"),
        ("chat", talk("TASK: extract"), 400, "needs a JSON schema"),
        ("chat", talk("a", format={"minLength": 1, "type": "string"}), 400, "answers only"),
        ("chat", talk("a " * 99, truncate=False, options={"num_ctx": 9}), 400, "input length"),
        ("embed", {"model": "local-minilm", "input": "a" * 999, "truncate": False}, 400, "length"),
        ("generate", {"model": "local-extractive", "suffix": "x"}, 400, "does not support insert"),
        ("pull", {"model": "x"}, 400, "this is the local model server"),
        ("create", {"model": "x"}, 400, "this is the local model server"),
    ],
)
async def test_refusals(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    """Each is Ollama's status and error body."""
    reply = await client.post(f"/api/{path}", json=body)
    assert reply.status_code == status
    assert list(reply.json()) == ["error"]
    assert words in reply.json()["error"]


async def test_images_are_refused_by_a_model_that_cannot_see(client: httpx2.AsyncClient) -> None:
    """An image is never dropped in silence."""
    body = talk("a")
    body["messages"] = [{"role": "user", "content": "a", "images": ["aGk="]}]
    reply = await client.post("/api/chat", json=body)
    assert (reply.status_code, "image" in reply.json()["error"]) == (400, True)


async def test_listings_name_both_models_honestly(client: httpx2.AsyncClient) -> None:
    """Names begin with local-, and each says what it is."""
    tags = (await client.get("/api/tags")).json()["models"]
    assert {model["name"] for model in tags} == {"local-minilm:latest", "local-extractive:latest"}
    shown = (await client.post("/api/show", json={"model": "Local-Extractive:latest"})).json()
    assert shown["capabilities"] == ["completion"]
    assert "not a language model" in shown["system"]
    assert shown["model_info"]["extractive.context_length"] == 131072
    assert (await client.get("/api/version")).json()["version"]


async def test_running_models_follow_keep_alive(client: httpx2.AsyncClient) -> None:
    """A model is listed from its call on, until it expires."""
    assert (await client.get("/api/ps")).json() == {"models": []}
    await client.post("/api/chat", json=talk("a", keep_alive=-1))
    [running] = (await client.get("/api/ps")).json()["models"]
    assert running["name"] == "local-extractive:latest"
    await client.post("/api/chat", json={"model": "local-extractive", "keep_alive": 0})
    assert (await client.get("/api/ps")).json() == {"models": []}


@pytest.mark.parametrize("host", ["evil.example", "8.8.8.8:11434", "localhost.evil.example"])
async def test_a_foreign_host_is_refused(client: httpx2.AsyncClient, host: str) -> None:
    """A page that resolves its own name to this machine gets nothing."""
    assert (await client.get("/api/tags", headers={"host": host})).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:22000", "[::1]:22000", "models.internal", "LOCALHOST"])
async def test_own_hosts_pass(client: httpx2.AsyncClient, host: str) -> None:
    """Loopback, private addresses and local names."""
    assert (await client.get("/", headers={"host": host})).status_code == 200


async def test_unknown_paths_and_methods(client: httpx2.AsyncClient) -> None:
    """As Ollama's router answers them."""
    assert (await client.get("/nothing")).text == "404 page not found"
    assert (await client.get("/api/chat")).text == "405 method not allowed"


async def test_an_answer_takes_its_least_time_and_holds_its_slot(embed: Embed) -> None:
    """Two answers in one slot take twice the time of one."""
    async with serve(embed, parallel=1, least_answer_s=0.03) as slow:
        began = time.monotonic()
        replies = await asyncio.gather(*(slow.post("/api/chat", json=talk("a")) for _ in "ab"))
        assert time.monotonic() - began >= 0.06
    assert all(reply.json()["total_duration"] >= 30_000_000 for reply in replies)


async def test_too_many_calls_are_told_to_come_again(embed: Embed) -> None:
    """One runs, two wait, the others get 503 at once."""
    async with serve(embed, parallel=1, least_answer_s=0.03) as slow:
        replies = await asyncio.gather(*(slow.post("/api/chat", json=talk("a")) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [200, 200, 200, 503, 503]


async def test_a_fault_of_ours_is_500_with_an_error_body(
    embed: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug shows as one, in the same form."""
    monkeypatch.setattr(Extractive, "answer", lambda *_: 1 / 0)
    async with serve(embed, raised=False) as client:
        reply = await client.post("/api/chat", json=talk("a"))
    assert (reply.status_code, list(reply.json())) == (500, ["error"])


async def test_a_body_without_end_is_refused(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading stops at the limit."""
    monkeypatch.setattr(app, "MAX_BODY_BYTES", 100)
    reply = await client.post("/api/chat", content=b" " * 101)
    assert (reply.status_code, reply.json()["error"]) == (413, "request body too large")
