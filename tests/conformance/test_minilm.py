"""The embedder with its real weights: published values, cutting, batches, and its graph."""

from pathlib import Path

import numpy as np
import pytest

from local.models import embedder as module
from local.models import weights
from local.models.embedder import CONTEXT_LENGTH, Cancelled, Embedder, TextTooLong

PUBLISHED = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
"""The sentences of the model card of sentence-transformers/all-MiniLM-L6-v2."""

SIMILARITIES = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
"""Their cosines, as the model card prints them."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty cache folder."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def embedder(cache: Path) -> Embedder:
    """Return the embedder, its graph built anew."""
    return Embedder(cache)


def test_the_published_similarities(embedder: Embedder) -> None:
    """To all four digits."""
    vectors = embedder.embed(PUBLISHED).vectors
    assert np.round(vectors @ vectors.T, 4) == pytest.approx(np.array(SIMILARITIES), abs=1e-4)


def test_a_batch_does_not_change_a_vector(embedder: Embedder) -> None:
    """Neither padding nor neighbours nor order show; every vector is of unit length."""
    texts = ["a", *(f"{'harbour lights ' * n}at night" for n in range(1, 40, 3)), "", "b c"]
    together = embedder.embed(texts).vectors
    alone = np.vstack([embedder.embed([text]).vectors for text in texts])
    assert together == pytest.approx(alone, abs=1e-5)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_what_is_beyond_the_context_does_not_count(embedder: Embedder) -> None:
    """A long text has the vector of its beginning, and the counter says what was read."""
    cut = embedder.embed(["sea " * 1000 + "mountain"])
    assert cut.token_count == CONTEXT_LENGTH
    assert cut.vectors == pytest.approx(embedder.embed(["sea " * 254]).vectors, abs=1e-6)


def test_a_long_text_is_refused_when_nothing_may_be_cut(embedder: Embedder) -> None:
    """Exactly the context still fits."""
    assert embedder.embed(["sea " * 254], truncate=False).token_count == CONTEXT_LENGTH
    with pytest.raises(TextTooLong):
        embedder.embed(["sea " * 255], truncate=False)


def test_a_caller_that_leaves_stops_the_work(embedder: Embedder) -> None:
    """The next batch is not begun."""
    with pytest.raises(Cancelled):
        embedder.embed(["sea"], cancelled=lambda: True)


def test_the_graph_is_built_once(
    embedder: Embedder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second embedder over the same cache builds nothing, and agrees."""
    monkeypatch.setattr(module, "subprocess", None)
    again = Embedder(cache)
    assert again.embed(["sea"]).vectors == pytest.approx(embedder.embed(["sea"]).vectors)
    assert len(list(cache.iterdir())) == 1


def test_weights_that_compute_something_else_are_refused(
    embedder: Embedder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start-up check is what stands between a bad graph and an index full of its vectors."""
    monkeypatch.setattr("schemas.embedding_text.prepare", lambda text: f"{text} indeed")
    with pytest.raises(weights.WrongWeights, match="differs from its reference"):
        Embedder(cache)
    assert embedder.count("sea") == 3
