"""One server that the conformance suite speaks to."""

from dataclasses import dataclass

import ollama


@dataclass(frozen=True)
class Peer:
    """A server that speaks the API, and the models of it that the suite uses."""

    client: ollama.Client
    url: str
    embedding_model: str
    completion_model: str
