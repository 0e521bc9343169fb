"""How often the local classifier is right, and how honestly it says so, by cross-validation.

    python -m bench classification [--data DIR] [--failures]

Fits the weights of `local.models.classify` on five sixths of the documents and judges the last
sixth, six times over; prints the figures, the weights of a fit on all, and what it got wrong. Reads
the short texts beside it, the sample documents, and receipts and invoices where there are any.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.asking import read_pages
from bench.cases import load
from local.environment import LocalSettings
from local.models.classify import WEIGHTS, Classifier
from local.models.embedder import Embedder
from local.models.prompt import DocumentType
from schemas.document_types import builtin
from schemas.embedding_text import prepare

FOLDS = 6
_PROJECT = Path(__file__).parent.parent
_TEXTS = Path(__file__).with_name("classified_texts.json")
_RIDGE = 0.06
_STEPS = 60
_BIN = 0.1
_WEIGHT = {"receipts": 0.4}
"""Forty receipts of one country must not outweigh all other types."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A document: its group, how it begins, its true type's place, and each type's evidence."""

    group: str
    title: str
    truth: int
    evidence: Vector

    def shares(self, weights: Vector) -> Vector:
        """Return the probability of each type."""
        scores = self.evidence @ weights
        powers = np.exp(scores - scores.max())
        return np.asarray(powers / powers.sum())


def main() -> None:
    """Print the figures."""
    home = LocalSettings().cache or Path.home() / ".cache" / "actionstream"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=Path, default=_PROJECT / "examples" / "documents")
    parser.add_argument("--data", type=Path, default=_PROJECT.parent / "shared" / "data")
    parser.add_argument("--ocr", default="auto")
    parser.add_argument("--failures", action="store_true", help="print every document got wrong")
    chosen = parser.parse_args()
    types = [
        DocumentType(one.name, one.description, tuple(one.examples)) for one in builtin().values()
    ]
    documents = [("short texts", *pair) for pair in _short_texts()]
    for case in load(chosen.samples, chosen.data):
        pages = read_pages(case.path, home / "bench", chosen.ocr)
        documents.append((case.group, case.type, "\f".join(page.text for page in pages)))
    examples = _examples(documents, types, Embedder(home / "models"))
    judged = _judge(examples)
    for group in sorted({one.group for one in examples}):
        mine = [
            right for one, (right, _) in zip(examples, judged, strict=True) if one.group == group
        ]
        print(f"{group}: {sum(mine)} of {len(mine)} right")
    print(f"calibration error: {_calibration_error(judged):.3f}")
    print(f"weights: fitted {np.round(_fit(examples), 1).tolist()}, in use {list(WEIGHTS)}")
    for one, (right, share) in zip(examples, judged, strict=True):
        if chosen.failures and not right:
            print(f"wrong, {share:.2f} sure: {one.group}, {types[one.truth].name}: {one.title!r}")


def _short_texts() -> list[tuple[str, str]]:
    """Return type and text of each short text."""
    return [(one["type"], one["text"]) for one in json.loads(_TEXTS.read_text(encoding="utf-8"))]


def _examples(
    documents: list[tuple[str, str, str]], types: list[DocumentType], embedder: Embedder
) -> list[Example]:
    """Return the evidence for each document."""
    classifier = Classifier(lambda texts: embedder.embed([prepare(one) for one in texts]).vectors)
    names = [one.name for one in types]
    return [
        Example(group, text.strip()[:50], names.index(kind), classifier.evidence(text, types))
        for group, kind, text in documents
    ]


def _judge(examples: list[Example]) -> list[tuple[bool, float]]:
    """Return for each document whether the best type is right, and its probability."""
    folds = np.random.default_rng(0).permutation(len(examples)) % FOLDS
    judged = [(False, 0.0)] * len(examples)
    for fold in range(FOLDS):
        weights = _fit([one for one, at in zip(examples, folds, strict=True) if at != fold])
        for index in np.flatnonzero(folds == fold):
            shares = examples[index].shares(weights)
            judged[index] = (int(shares.argmax()) == examples[index].truth, float(shares.max()))
    return judged


def _fit(examples: list[Example]) -> Vector:
    """Return the weights of greatest likelihood, held back a little, by Newton's method."""
    weights = np.zeros(len(WEIGHTS))
    for _ in range(_STEPS):
        slope, bend = _RIDGE * weights, _RIDGE * np.eye(len(weights))
        for one in examples:
            shares, share = one.shares(weights), _WEIGHT.get(one.group, 1.0)
            mean = shares @ one.evidence
            slope -= share * (one.evidence[one.truth] - mean)
            spread = one.evidence - mean
            bend += share * (spread.T * shares) @ spread
        step = np.linalg.solve(bend, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _calibration_error(judged: list[tuple[bool, float]]) -> float:
    """Return the mean gap between sureness and success over ten bins, weighted by their sizes."""
    right, sure = np.array([one for one, _ in judged]), np.array([share for _, share in judged])
    bins = np.minimum((sure / _BIN).astype(int), 9)
    gaps = [
        abs(sure[bins == at].mean() - right[bins == at].mean()) * (bins == at).mean()
        for at in np.unique(bins)
    ]
    return float(sum(gaps))


if __name__ == "__main__":
    main()
