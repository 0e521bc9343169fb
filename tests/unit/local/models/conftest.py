"""An embedder without weights, for all unit tests of the models."""

import re
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def _embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return unit vectors of 512 dimensions, one for each text, from the hashes of its words."""
    vectors = np.full((len(texts), 512), 1e-6, dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for word in re.findall(r"\w{3,}", text.lower()):
            row[zlib.crc32(word.encode()) % 512] += 1.0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="session")
def embed() -> Embed:
    """Return an embedder to which texts are close when they share words."""
    return _embed
