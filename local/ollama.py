"""An Ollama that may be running already: which models it has, and how to use them."""

import json
from dataclasses import dataclass

from local import readiness
from local.errors import Obstacle

_ANSWER_S = 2.0
#: The one embedding model that the indexes here fit, by its name at Ollama.
EMBEDDER = "all-minilm"


@dataclass(frozen=True)
class Found:
    """An Ollama that answers: its URL and the names of its models."""

    url: str
    models: tuple[str, ...]


async def look(url: str) -> Found | None:
    """Returns: the Ollama at `url`, None if nothing like it answers within 2 s."""
    _, body = await readiness.get(f"{url}/api/tags", _ANSWER_S)
    try:
        return Found(url, tuple(str(one["name"]) for one in json.loads(body)["models"]))
    except (json.JSONDecodeError, KeyError, TypeError):
        return None


def choose(found: Found | None, url: str, chat_model: str | None) -> dict[str, str]:
    """Choose the models of an Ollama for the product.

    Args:
        found: the Ollama, None if none answers.
        url: where it was asked for.
        chat_model: the one that the person named, None for the first that can chat.

    Returns: the settings that lead to them.

    Raises:
        Obstacle: no Ollama, or a model that it lacks; the sentence has the command that helps.
    """
    if found is None:
        raise Obstacle(
            f"No Ollama answers at {url}: start it with `ollama serve`, set OLLAMA_HOST, "
            "or leave out MODELS=ollama."
        )
    embedders = [name for name in found.models if name.split(":")[0] == EMBEDDER]
    if not embedders:
        raise Obstacle(f"The Ollama at {url} lacks the embedding model: `ollama pull {EMBEDDER}`.")
    chatting = [name for name in found.models if "embed" not in name and name not in embedders]
    chosen = chat_model or next(iter(chatting), None)
    if chosen is None:
        raise Obstacle(f"The Ollama at {url} has no chat model: `ollama pull llama3.2`.")
    return {
        "ACTIONSTREAM_OLLAMA_URL": url,
        "ACTIONSTREAM_CHAT_MODEL": chosen,
        "ACTIONSTREAM_EMBEDDING_MODEL": embedders[0],
    }
