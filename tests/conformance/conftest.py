"""The servers that the conformance suite speaks to: ours, and a real Ollama where one answers."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import ollama
import pytest

from local.environment import LocalSettings
from tests.conformance.peer import Peer

START_S = 60.0
OURS = "local"
THEIRS = "ollama"


def _free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def local_url() -> Iterator[str]:
    """Start our server as a process of its own; its port opens when it is ready."""
    port = _free_port()
    process = subprocess.Popen([sys.executable, "-m", "local.models", "--port", str(port)])
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_S
    try:
        while True:
            with contextlib.suppress(httpx2.TransportError):
                httpx2.get(url, timeout=1.0)
                break
            assert process.poll() is None, "the local model server ended by itself"
            assert time.monotonic() < deadline, "the local model server did not come up"
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _real_models() -> dict[str, str]:
    """Return a model of the Ollama at OLLAMA_HOST for each capability; none where none answers.

    The smallest model of each is taken, because the suite asks how it answers, not what; one that
    thinks first is not, because its thoughts use up the few tokens that are asked for.
    """
    found: dict[str, str] = {}
    settings = LocalSettings()
    if "ollama_host" not in settings.model_fields_set:
        return found
    with (
        contextlib.suppress(ConnectionError, httpx2.TransportError, ollama.ResponseError, OSError),
        ollama.Client(settings.ollama_url, timeout=5.0) as client,
    ):
        for model in sorted(client.list().models, key=lambda listed: int(listed.size or 0)):
            if not model.model or model.model.startswith("local-"):
                continue
            capabilities = client.show(model.model).capabilities or []
            for capability in capabilities if "thinking" not in capabilities else []:
                found.setdefault(capability, model.model)
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test against our server, and against the real one for which it has a model."""
    needs = {"embedder": "embedding", "talker": "completion"}
    for fixture, capability in needs.items():
        if fixture in metafunc.fixturenames:
            real = [THEIRS] if capability in _REAL else []
            metafunc.parametrize(fixture, [OURS, *real], indirect=True)
    if "minilm" in metafunc.fixturenames:
        real = [THEIRS] if "minilm" in _REAL.get("embedding", "") else []
        metafunc.parametrize("minilm", [OURS, *real], indirect=True)
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", [OURS, *([THEIRS] if _REAL else [])], indirect=True)


_REAL = _real_models()


def _peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Yield the peer that the parameter names, with a client that is closed again."""
    embedding_model, completion_model = "local-minilm", "local-extractive"
    if request.param == OURS:
        url = request.getfixturevalue("local_url")
    else:
        url = LocalSettings().ollama_url
        embedding_model, completion_model = _REAL.get("embedding", ""), _REAL.get("completion", "")
    with ollama.Client(url) as client:
        yield Peer(client, url, embedding_model, completion_model)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Return a server of any models."""
    yield from _peer(request)


@pytest.fixture
def embedder(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Return a server with an embedding model."""
    yield from _peer(request)


@pytest.fixture
def talker(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Return a server with a completion model."""
    yield from _peer(request)


@pytest.fixture
def minilm(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Return a server whose embedding model is all-MiniLM-L6-v2."""
    yield from _peer(request)
