"""Fits the confidence of extracted values to what was right, and measures how honest it is.

Logistic regression with a prior: few documents move the weights little from what is plausible, and
no weight takes a sign that would make worse evidence raise the confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.extraction.confidence import Features

Array = npt.NDArray[np.float64]

PRIOR_PRESENT = {
    "bias": 1.0,
    "model_logit": 0.5,
    "model_unavailable": 0.0,
    "loose": -0.3,
    "ungrounded": -2.5,
    "repeated": -0.3,
    "ocr_logit": 0.3,
    "ocr_unavailable": 0.6,
    "ocr_length": -0.7,
    "malformed": -2.5,
    "formless": -0.3,
    "checks_passed": 1.0,
    "checks_failed": -1.0,
}
PRIOR_ABSENT = {
    "bias": 1.5,
    "model_logit": 0.3,
    "model_unavailable": 0.0,
    "required": -2.5,
    "labelled": -0.7,
}
RISING = frozenset({"model_logit", "ocr_logit", "checks_passed"})
FALLING = frozenset(
    {
        "loose",
        "ungrounded",
        "repeated",
        "ocr_length",
        "malformed",
        "checks_failed",
        "required",
        "labelled",
    }
)

_STRENGTH = 1.0
_STEPS = 4_000
_BINS = 10
_LEAST_OF_A_KIND = 15
_KEPT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: its features, its confidence as it is now, whether it is right, its weight."""

    features: Features
    confidence: float
    right: bool
    weight: float = 1.0

    def blind(self) -> "Seen":
        """The same without the model's score, as from a model whose scores nobody has measured."""
        return replace(
            self, features={**self.features, "model_logit": 0.0, "model_unavailable": 0.0}
        )


def fit(seen: Sequence[Seen], prior: dict[str, float], allowance: float = 0.0) -> dict[str, float]:
    """The weights with the highest posterior probability.

    Args:
        seen: the answers to fit on.
        prior: the mean of each weight before anything is seen; kinds that were seen often enough
            get a weight around 0. A sign in `RISING` or `FALLING` is kept.
        allowance: the share of right answers that is taken for luck.

    Returns: a weight for each feature of the prior and each such kind, rounded to 3 decimals.
    """
    counts: dict[str, float] = {}
    for one in seen:
        for name in one.features:
            counts[name] = counts.get(name, 0) + one.weight
    kinds = [n for n, count in counts.items() if n not in prior and count >= _LEAST_OF_A_KIND]
    names = [*prior, *sorted(kinds)]
    if not seen:
        return dict(prior)
    rows = np.array([[one.features.get(name, 0.0) for name in names] for one in seen])
    right = np.array([one.right * (1.0 - allowance) for one in seen])
    weight = np.array([one.weight for one in seen])
    mean = np.array([prior.get(name, 0.0) for name in names])
    found = _descend(rows, right, weight, mean, names)
    return {name: round(float(value), 3) for name, value in zip(names, found, strict=True)}


def _descend(rows: Array, right: Array, weight: Array, mean: Array, names: list[str]) -> Array:
    """Projected gradient descent; the step is the inverse of the largest curvature."""
    curvature = 0.25 * np.linalg.eigvalsh((rows * weight[:, None]).T @ rows)[-1] + _STRENGTH
    # A plausible effect may shrink to half, but not vanish because a small set had no case of it.
    kept = _KEPT_SHARE * mean
    least = np.array(
        [one if name in RISING else -np.inf for name, one in zip(names, kept, strict=True)]
    )
    most = np.array(
        [one if name in FALLING else np.inf for name, one in zip(names, kept, strict=True)]
    )
    at = mean.copy()
    for _ in range(_STEPS):
        expected = 1.0 / (1.0 + np.exp(-np.clip(rows @ at, -30, 30)))
        slope = rows.T @ (weight * (expected - right)) + _STRENGTH * (at - mean)
        at = np.clip(at - slope / curvature, least, most)
    return at


class Calibration(NamedTuple):
    """How honest confidences are.

    `ece`: mean distance of confidence and share right over 10 bins; `brier`: mean squared error;
    `auroc`: how often a right answer is surer than a wrong one, None without one of each;
    `bins`: (count, mean confidence, share right) of the bins that hold any.
    """

    answers: int
    share_right: float
    ece: float
    brier: float
    auroc: float | None
    bins: list[tuple[int, float, float]]


def measure(confidences: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Measures confidences against what was right; no answers give zeros."""
    if not confidences:
        return Calibration(0, 0.0, 0.0, 0.0, None, [])
    sure, true = np.array(confidences), np.array(right, dtype=np.float64)
    index = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    bins = [
        (int((index == at).sum()), float(sure[index == at].mean()), float(true[index == at].mean()))
        for at in range(_BINS)
        if (index == at).any()
    ]
    ece = sum(count * abs(mean - share) for count, mean, share in bins) / len(sure)
    brier = float(((sure - true) ** 2).mean())
    return Calibration(len(sure), float(true.mean()), ece, brier, _auroc(sure, true), bins)


def _auroc(sure: Array, true: Array) -> float | None:
    """Source: the Mann-Whitney U statistic; equal confidences count half."""
    good, bad = sure[true > 0], sure[true == 0]
    if not good.size or not bad.size:
        return None
    above = (good[:, None] > bad[None, :]).sum() + 0.5 * (good[:, None] == bad[None, :]).sum()
    return float(above / (good.size * bad.size))
