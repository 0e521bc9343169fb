"""The tiny calls that decide about a model's breaker, against our server and a real Ollama."""

import pytest

from streams.clients.calls import Caps
from streams.clients.ollama import connect
from streams.errors import DependencyDown
from tests.conformance.peer import Peer


async def test_both_probes_are_answered(embedder: Peer, talker: Peer) -> None:
    """A model that works passes its probe."""
    models = connect(
        talker.url,
        chat_model=talker.completion_model,
        embedding_model=embedder.embedding_model,
        caps=Caps(),
        context_tokens=8192,
    )
    await models.ping()
    for calls in models._calls.values():
        await calls._probe()
    await models.close()

    assert {state["state"] for state in models.states().values()} == {"closed"}


async def test_a_missing_model_is_told_by_every_call(server: Peer) -> None:
    """The look at start and each call name the line to run; the breaker opens at once."""
    models = connect(
        server.url,
        chat_model="no-such-model",
        embedding_model="no-such-embedder",
        caps=Caps(),
        context_tokens=8192,
    )
    with pytest.raises(DependencyDown, match="ollama pull no-such-model"):
        await models.ping()
    with pytest.raises(DependencyDown, match="ollama pull no-such-model"):
        await models.answer(system="", user="u", schema={"type": "object"}, record="r")
    with pytest.raises(DependencyDown, match="ollama pull no-such-embedder"):
        await models.embed(["word"], record="r")
    await models.close()

    assert {state["state"] for state in models.states().values()} == {"open"}
