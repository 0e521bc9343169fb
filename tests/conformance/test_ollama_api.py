"""The same calls through the `ollama` client, against our server and against a real Ollama."""

import asyncio
import json
import math
from typing import Any

import httpx2
import ollama
import pytest

from schemas import embedding_text
from tests.conformance.peer import Peer

PUBLISHED = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
"""The sentences of the model card of all-MiniLM-L6-v2; their cosines are published with it."""

OPTIONS = {"temperature": 0, "num_predict": 24, "num_thread": 1, "num_ctx": 2048}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": ["string", "null"]}},
    "required": ["name"],
}


def talk(peer: Peer, content: str = "Say yes.", **more: Any) -> ollama.ChatResponse:
    """Return the answer of a chat that is not streamed."""
    messages = [{"role": "user", "content": content}]
    options = {**OPTIONS, **more.pop("options", {})}
    return peer.client.chat(peer.completion_model, messages, options=options, **more)


def post(peer: Peer, path: str, body: bytes | dict[str, Any]) -> httpx2.Response:
    """Return the raw answer to a body, for what the client does not send."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(f"{peer.url}{path}", timeout=120.0, content=content)


def counted(reply: ollama.ChatResponse | ollama.GenerateResponse) -> bool:
    """Say whether an answer has the usual counters, in whole numbers."""
    names = ("total_duration", "prompt_eval_count", "eval_count", "eval_duration")
    return all(isinstance(reply[name], int) and reply[name] > 0 for name in names)


class TestServer:
    def test_root(self, server: Peer) -> None:
        """The root says in Ollama's words that it runs."""
        assert httpx2.get(server.url).text == "Ollama is running"
        assert httpx2.head(server.url).status_code == 200

    def test_version(self, server: Peer) -> None:
        """The version is a string with numbers."""
        version = httpx2.get(f"{server.url}/api/version").json()["version"]
        assert version.split(".")[0].isdigit()

    def test_list(self, server: Peer) -> None:
        """Each model has name, digest, size, time and details."""
        models = server.client.list().models
        assert models
        for model in models:
            assert model.model
            assert ":" in model.model
            assert len(model.digest or "") == 64
            assert model.size
            assert model.modified_at
            assert model.details
            assert model.details.family

    def test_unknown_model(self, server: Peer) -> None:
        """Every call says which model is not there, with 404."""
        calls = [
            lambda: server.client.chat("no-such-model", [{"role": "user", "content": "a"}]),
            lambda: server.client.generate("no-such-model", "a"),
            lambda: server.client.embed("no-such-model", "a"),
            lambda: server.client.show("no-such-model"),
        ]
        for call in calls:
            with pytest.raises(ollama.ResponseError, match=r"no-such-model.*not found") as error:
                call()
            assert error.value.status_code == 404

    @pytest.mark.parametrize("path", ["/api/chat", "/api/generate", "/api/embed", "/api/show"])
    def test_bad_bodies(self, server: Peer, path: str) -> None:
        """No body, no JSON, and another type than an object are 400 with an error body."""
        for content in (b"", b"{", b"[1]"):
            reply = post(server, path, content)
            assert reply.status_code == 400
            assert reply.json()["error"]

    def test_unknown_path(self, server: Peer) -> None:
        """What is not there is 404."""
        assert httpx2.get(f"{server.url}/api/nothing").status_code == 404


class TestEmbeddings:
    def test_show(self, embedder: Peer) -> None:
        """The model says that it embeds, and how long its context is."""
        shown = embedder.client.show(embedder.embedding_model)
        assert "embedding" in (shown.capabilities or [])
        assert shown.modelinfo
        architecture = shown.modelinfo["general.architecture"]
        assert shown.modelinfo[f"{architecture}.context_length"] > 0
        assert shown.modelinfo[f"{architecture}.embedding_length"] > 0

    def test_one_and_many(self, embedder: Peer) -> None:
        """A text alone and in a list has the same unit vector; the counters are there."""
        model = embedder.embedding_model
        alone = embedder.client.embed(model, "harbour lights")
        many = embedder.client.embed(model, ["something else entirely", "harbour lights"])
        assert len(alone.embeddings) == 1
        assert len(many.embeddings) == 2
        assert math.hypot(*alone.embeddings[0]) == pytest.approx(1.0, abs=1e-4)
        assert many.embeddings[1] == pytest.approx(alone.embeddings[0], abs=2e-3)
        assert alone.prompt_eval_count
        assert alone.total_duration

    def test_empty_input(self, embedder: Peer) -> None:
        """Nothing has no vectors."""
        assert embedder.client.embed(embedder.embedding_model, "").embeddings == []
        assert embedder.client.embed(embedder.embedding_model, []).embeddings == []

    def test_dimensions(self, embedder: Peer) -> None:
        """The first so many dimensions, made unit again."""
        reply = embedder.client.embed(embedder.embedding_model, "harbour", dimensions=64)
        assert len(reply.embeddings[0]) == 64
        assert math.hypot(*reply.embeddings[0]) == pytest.approx(1.0, abs=1e-4)

    def test_too_long(self, embedder: Peer) -> None:
        """A long text is cut, or refused when the caller asks for that."""
        model, text = embedder.embedding_model, "harbour lights " * 3000
        assert len(embedder.client.embed(model, text).embeddings) == 1
        with pytest.raises(ollama.ResponseError, match="exceeds") as error:
            embedder.client.embed(model, text, truncate=False)
        assert error.value.status_code == 400

    def test_older_call(self, embedder: Peer) -> None:
        """`/api/embeddings` gives the same direction."""
        model = embedder.embedding_model
        old = embedder.client.embeddings(model, "harbour lights").embedding
        [new] = embedder.client.embed(model, "harbour lights").embeddings
        assert embedding_text.disagreement([old], [new]) < embedding_text.DISAGREEMENT_LIMIT

    def test_wrong_input(self, embedder: Peer) -> None:
        """Numbers are not texts."""
        body = {"model": embedder.embedding_model, "input": [1, 2]}
        assert post(embedder, "/api/embed", body).status_code == 400

    def test_an_embedding_model_does_not_talk(self, embedder: Peer) -> None:
        """A chat with it is refused."""
        with pytest.raises(ollama.ResponseError, match="does not support chat") as error:
            embedder.client.chat(embedder.embedding_model, [{"role": "user", "content": "a"}])
        assert error.value.status_code == 400

    def test_minilm_is_minilm(self, minilm: Peer) -> None:
        """A model called so gives the published similarities and the reference of the probes."""
        embedder = minilm
        vectors = embedder.client.embed(embedder.embedding_model, PUBLISHED).embeddings
        cosines = [
            sum(a * b for a, b in zip(vectors[i], vectors[j], strict=True))
            for i, j in ((0, 1), (0, 2), (1, 2))
        ]
        assert cosines == pytest.approx([0.6660, 0.1046, 0.1411], abs=2e-3)
        probes = [embedding_text.prepare(probe.text) for probe in embedding_text.PROBES]
        found = embedder.client.embed(embedder.embedding_model, probes).embeddings
        text = embedding_text.REFERENCE_PATH.read_text(encoding="utf-8")
        wanted = embedding_text.parse_reference(text)
        assert embedding_text.disagreement(found, wanted) < embedding_text.DISAGREEMENT_LIMIT


class TestCompletions:
    def test_show(self, talker: Peer) -> None:
        """The model says that it completes, and how long its context is."""
        shown = talker.client.show(talker.completion_model)
        assert "completion" in (shown.capabilities or [])
        assert shown.modelinfo
        architecture = shown.modelinfo["general.architecture"]
        assert shown.modelinfo[f"{architecture}.context_length"] > 0

    def test_chat(self, talker: Peer) -> None:
        """An answer of the assistant, why it ended, and the counters."""
        reply = talk(talker)
        assert reply.message.role == "assistant"
        assert reply.message.content
        assert reply.done
        assert reply.done_reason in {"stop", "length"}
        assert reply.model == talker.completion_model
        assert reply.created_at
        assert counted(reply)

    def test_streamed_chat(self, talker: Peer) -> None:
        """The parts joined are the answer; only the last is done and counts."""
        messages = [{"role": "user", "content": "Say yes."}]
        parts = list(
            talker.client.chat(talker.completion_model, messages, stream=True, options=OPTIONS)
        )
        assert len(parts) > 1
        assert [part.done for part in parts[:-1]] == [False] * (len(parts) - 1)
        assert parts[-1].done
        assert counted(parts[-1])
        whole = "".join(part.message.content or "" for part in parts)
        assert whole == talk(talker).message.content

    def test_generate(self, talker: Peer) -> None:
        """Whole and streamed generation say the same."""
        model = talker.completion_model
        whole = talker.client.generate(model, "Say yes.", options=OPTIONS)
        parts = list(talker.client.generate(model, "Say yes.", stream=True, options=OPTIONS))
        assert whole.response
        assert counted(whole)
        assert "".join(part.response or "" for part in parts) == whole.response

    def test_content_types(self, talker: Peer) -> None:
        """A stream is NDJSON and the default; a whole answer is JSON."""
        body = {"model": talker.completion_model, "prompt": "Say yes.", "options": OPTIONS}
        streamed = post(talker, "/api/generate", body)
        assert streamed.headers["content-type"] == "application/x-ndjson"
        assert all(json.loads(line) for line in streamed.text.splitlines())
        whole = post(talker, "/api/generate", {**body, "stream": False})
        assert whole.headers["content-type"].startswith("application/json")

    @pytest.mark.parametrize("wanted", [SCHEMA, "json"])
    def test_format(self, talker: Peer, wanted: str | dict[str, Any]) -> None:
        """The answer is JSON, and of the schema where there is one."""
        reply = talk(talker, "Give a name as JSON.", format=wanted, options={"num_predict": 200})
        value = json.loads(reply.message.content or "")
        assert isinstance(value, dict)
        assert wanted == "json" or set(value) == {"name"}

    def test_logprobs(self, talker: Peer) -> None:
        """One item a token; joined they are the content; none is above 0."""
        reply = talk(talker, logprobs=True, top_logprobs=2)
        assert reply.logprobs
        assert "".join(item.token for item in reply.logprobs) == reply.message.content
        assert all(item.logprob <= 0.0 for item in reply.logprobs)
        assert all(item.top_logprobs for item in reply.logprobs)
        assert talk(talker).logprobs is None

    def test_too_many_top_logprobs(self, talker: Peer) -> None:
        """More than twenty are refused."""
        with pytest.raises(ollama.ResponseError, match="top_logprobs") as error:
            talk(talker, logprobs=True, top_logprobs=21)
        assert error.value.status_code == 400

    def test_num_predict(self, talker: Peer) -> None:
        """A cut answer says so."""
        reply = talk(talker, options={"num_predict": 2})
        assert reply.done_reason == "length"
        assert reply.eval_count == 2

    def test_context_length(self, talker: Peer) -> None:
        """Too long an input is refused when the caller wants no truncation."""
        body = {
            "model": talker.completion_model,
            "messages": [{"role": "user", "content": "harbour lights " * 4000}],
            "options": {**OPTIONS, "num_ctx": 512},
            "stream": False,
            "truncate": False,
        }
        reply = post(talker, "/api/chat", body)
        assert reply.status_code == 400
        assert "exceeds" in reply.json()["error"]
        cut = post(talker, "/api/chat", {**body, "truncate": True})
        assert cut.status_code == 200

    def test_load_and_unload(self, talker: Peer) -> None:
        """Calls without input load and unload, and the list of running models follows."""
        model = talker.completion_model
        assert talker.client.chat(model).done_reason == "load"
        running = [entry.model for entry in talker.client.ps().models]
        assert any((name or "").startswith(model.split(":")[0]) for name in running)
        assert talker.client.chat(model, keep_alive=0).done_reason == "unload"
        assert talker.client.generate(model, keep_alive=0).done_reason == "unload"

    def test_what_a_model_cannot_do(self, talker: Peer) -> None:
        """Tools and thinking are refused by a model whose capabilities lack them."""
        lacking = talker.client.show(talker.completion_model).capabilities or []
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        asked: dict[str, dict[str, Any]] = {"tools": {"tools": [tool]}, "thinking": {"think": True}}
        for capability, more in asked.items():
            if capability not in lacking:
                with pytest.raises(ollama.ResponseError, match="does not support") as error:
                    talk(talker, **more)
                assert error.value.status_code == 400
        assert "completion" in lacking

    async def test_a_client_that_leaves_frees_its_place(self, talker: Peer) -> None:
        """After many calls that were given up, the next is answered."""
        messages = [{"role": "user", "content": "Tell of the sea. " * 50}]
        async with ollama.AsyncClient(talker.url, timeout=0.02) as impatient:
            calls = [impatient.chat(talker.completion_model, messages) for _ in range(12)]
            await asyncio.gather(*calls, return_exceptions=True)
        async with ollama.AsyncClient(talker.url, timeout=120.0) as patient:
            reply = await patient.chat(talker.completion_model, messages, options=OPTIONS)
        assert reply.done
