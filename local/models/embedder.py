"""MiniLM embeddings on one processor core through onnxruntime.

Reads the weights and the graph in the cache folder; writes the graph there when it is missing.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from local.models import weights
from schemas import embedding_text

DIMENSIONS = 384
CONTEXT_LENGTH = 256
"""Tokens that the model was trained on, its two marks included; what is beyond them is cut."""

_BATCH = 8
"""Texts in one run; of long texts, 32 at once are slower (10 a second) than one by one (16)."""
_GRAPH_VERSION = 1
"""Part of the cached graph's name; raised when `graph.py` builds another one."""


class TextTooLong(Exception):
    """A text is longer than the context and the caller asked for no truncation."""


class Cancelled(Exception):
    """The caller went away; the rest of its texts are not worth computing."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Unit vectors in the order of their texts, shape (texts, 384), and the tokens read."""

    vectors: NDArray[np.float32]
    token_count: int


def never() -> bool:
    """Return False: the caller that does not go away."""
    return False


class Embedder:
    """all-MiniLM-L6-v2, loaded and checked; safe to call from several threads.

    `cache` holds the graph, which is built on first use (3 s); `threads` is how many
    cores one run may use.

    Raises:
        weights.WrongWeights: the files are not those whose hashes are pinned, or what was loaded
            does not compute the reference vectors.
    """

    def __init__(self, cache: Path, *, threads: int = 1) -> None:
        folder = weights.directory()
        weights.verify(folder)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._session = _session(_graph(folder, cache), threads)
        reference = embedding_text.REFERENCE_PATH.read_text(encoding="utf-8")
        probes = [embedding_text.prepare(probe.text) for probe in embedding_text.PROBES]
        worst = embedding_text.disagreement(
            self.embed(probes).vectors.tolist(), embedding_text.parse_reference(reference)
        )
        if worst > embedding_text.DISAGREEMENT_LIMIT:
            raise weights.WrongWeights(
                f"the loaded model differs from its reference by {worst:.4f}; remove {cache}"
            )

    def count(self, text: str) -> int:
        """Return how many tokens `text` has, the two marks included."""
        return len(self._tokenizer.encode(text).ids)

    def embed(
        self,
        texts: Sequence[str],
        *,
        limit: int = CONTEXT_LENGTH,
        truncate: bool = True,
        cancelled: Callable[[], bool] = never,
    ) -> Embedded:
        """Return the vector of each text; what is beyond `limit` tokens is cut, or refused.

        Raises:
            TextTooLong: `truncate` is off and a text is longer than `limit` tokens.
            Cancelled: `cancelled` said so between two batches.
        """
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        limit = max(3, min(limit, CONTEXT_LENGTH))
        if not truncate and any(len(row) > limit for row in rows):
            raise TextTooLong
        # The last token is the closing mark, which a shortened text keeps.
        rows = [row if len(row) <= limit else [*row[: limit - 1], row[-1]] for row in rows]
        vectors = np.zeros((len(rows), DIMENSIONS), dtype=np.float32)
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for start in range(0, len(order), _BATCH):
            if cancelled():
                raise Cancelled
            batch = order[start : start + _BATCH]
            vectors[batch] = self._run([rows[index] for index in batch])
        return Embedded(vectors, sum(map(len, rows)))

    def _run(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the vectors of one batch, padded to its longest row."""
        shape = (len(rows), max(map(len, rows)))
        ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask}
        vectors: NDArray[np.float32] = self._session.run(["embedding"], feeds)[0]
        return vectors


def _graph(folder: Path, cache: Path) -> Path:
    """Return the path of the graph, built by a process of its own when it is not yet cached."""
    fingerprint = weights.SHA256["model.safetensors"][:16]
    path = cache / f"minilm-{fingerprint}-v{_GRAPH_VERSION}.onnx"
    if not path.exists():
        command = [sys.executable, "-m", "local.models.graph", str(folder), str(path)]
        subprocess.run(command, check=True)
    return path


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open the graph for running on `threads` cores that are given back while idle."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
