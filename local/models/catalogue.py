"""The two models of this server: what `/api/tags`, `/api/show` and `/api/ps` say of them.

Reads its own sources once, for the digest of the rules.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.models import embedder, weights

VERSION = "0.24.0+actionstream.local"
"""The version of the API that is spoken, with the mark of who speaks it."""

EXTRACTIVE_CONTEXT_LENGTH = 131_072

_SOURCES = Path(__file__).parent
_MINILM_PARAMETERS = 22_713_216
_MINILM_BYTES = 90_868_376


@dataclass(frozen=True)
class Model:
    """One model: its name without tag, what it can do, and how it describes itself."""

    name: str
    capability: str
    family: str
    format: str
    parameter_size: str
    quantization_level: str
    size: int
    digest: str
    context_length: int
    license: str
    system: str
    info: Mapping[str, Any]

    @property
    def tagged(self) -> str:
        """The name as Ollama lists it."""
        return f"{self.name}:latest"

    @property
    def qualified(self) -> str:
        """The name as Ollama's errors about capabilities spell it."""
        return f"registry.ollama.ai/library/{self.name}:latest"

    def details(self) -> dict[str, Any]:
        """Return the `details` object of the listing and of `/api/show`."""
        return {
            "parent_model": "",
            "format": self.format,
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization_level,
        }


def _digest_of_rules() -> tuple[str, int]:
    """Return the SHA-256 of all sources of this package and their size in bytes."""
    digest, size = hashlib.sha256(), 0
    for path in sorted(_SOURCES.rglob("*.py")):
        content = path.read_bytes()
        digest.update(content)
        size += len(content)
    return digest.hexdigest(), size


def load() -> dict[str, Model]:
    """Return the models by name."""
    digest, size = _digest_of_rules()
    minilm = Model(
        name="local-minilm",
        capability="embedding",
        family="bert",
        format="onnx",
        parameter_size="22.7M",
        quantization_level="F32",
        size=_MINILM_BYTES,
        digest=weights.SHA256["model.safetensors"],
        context_length=embedder.CONTEXT_LENGTH,
        license="Apache License, Version 2.0 (sentence-transformers/all-MiniLM-L6-v2)",
        system="",
        info={
            "general.architecture": "bert",
            "general.basename": "all-MiniLM-L6-v2",
            "general.license": "apache-2.0",
            "general.parameter_count": _MINILM_PARAMETERS,
            "bert.attention.head_count": 12,
            "bert.block_count": 6,
            "bert.context_length": embedder.CONTEXT_LENGTH,
            "bert.embedding_length": embedder.DIMENSIONS,
        },
    )
    extractive = Model(
        name="local-extractive",
        capability="completion",
        family="extractive",
        format="rules",
        parameter_size="0",
        quantization_level="none",
        size=size,
        digest=digest,
        context_length=EXTRACTIVE_CONTEXT_LENGTH,
        license="MIT",
        system="Rules and quotations, not a language model: it classifies by meaning, copies "
        "values and sentences out of the text that it is given, and writes none of its own.",
        info={
            "general.architecture": "extractive",
            "general.basename": "local-extractive",
            "general.description": "Rules and quotations, not a language model.",
            "general.license": "mit",
            "general.parameter_count": 0,
            "extractive.context_length": EXTRACTIVE_CONTEXT_LENGTH,
        },
    )
    return {model.name: model for model in (extractive, minilm)}


class Catalogue:
    """The models, when each was last asked for, and until when it counts as loaded.

    The weights stay in memory whatever `keep_alive` says: they are one process's to share.
    """

    def __init__(self, models: Mapping[str, Model], modified_at: datetime) -> None:
        self._models = models
        self._modified_at = modified_at.astimezone(UTC).isoformat()
        self._expires: dict[str, float] = {}

    def find(self, name: str | None) -> Model | None:
        """Return the model called `name`, with or without its tag; case does not matter."""
        plain = (name or "").lower().removesuffix(":latest")
        return self._models.get(plain.removeprefix("library/"))

    def keep(self, model: Model, seconds: float) -> None:
        """Count `model` as loaded for so many seconds from now; none at all unloads it."""
        self._expires[model.name] = time.time() + seconds

    def tags(self) -> dict[str, Any]:
        """Return the answer of `/api/tags`."""
        return {"models": [self._listed(model) for model in self._models.values()]}

    def running(self) -> dict[str, Any]:
        """Return the answer of `/api/ps`: the models asked for and not yet expired."""
        now = time.time()
        loaded = [
            model for model in self._models.values() if self._expires.get(model.name, 0) > now
        ]
        return {"models": [self._loaded(model) for model in loaded]}

    def show(self, model: Model) -> dict[str, Any]:
        """Return the answer of `/api/show`."""
        return {
            "license": model.license,
            "modelfile": f"# {model.tagged} is built in.\nFROM {model.name}\n",
            "parameters": "",
            "template": "{{ .Prompt }}",
            "system": model.system,
            "details": model.details(),
            "model_info": dict(model.info),
            "capabilities": [model.capability],
            "modified_at": self._modified_at,
        }

    def _named(self, model: Model) -> dict[str, Any]:
        """Return what the listings share."""
        return {
            "name": model.tagged,
            "model": model.tagged,
            "size": model.size,
            "digest": model.digest,
            "details": model.details(),
        }

    def _listed(self, model: Model) -> dict[str, Any]:
        """Return one entry of `/api/tags`."""
        return {**self._named(model), "modified_at": self._modified_at}

    def _loaded(self, model: Model) -> dict[str, Any]:
        """Return one entry of `/api/ps`; a model kept for ever expires in a century."""
        left = min(self._expires[model.name] - time.time(), 100 * 365 * 86_400.0)
        expires_at = datetime.now(UTC) + timedelta(seconds=left)
        return {
            **self._named(model),
            "expires_at": expires_at.isoformat(),
            "size_vram": 0,
            "context_length": model.context_length,
        }
