"""Turns evidence into a probability: logistic functions whose weights were fitted on documents.

Reads `confidence.json`, which `python -m bench.extraction --fit` writes; plain arithmetic at run
time. Evidence that is unavailable has features of its own, so it is never taken for a zero.

Features of a value that was given:
    bias                 1
    model_logit          log(p / (1 - p)) of the model score, p held within 0.02 to 0.98
    model_unavailable    1 where the model gave no score
    loose                1 where it stands in the text but for case, spaces and punctuation
    ungrounded           1 where it does not stand in the text
    repeated             log2 of its occurrences, at most 4, as a share of 4
    ocr_logit            as model_logit, of the OCR confidence
    ocr_unavailable      1 where it was not read by OCR (or not found)
    ocr_length           its characters, at most 64, as a share of 64; 0 where not read by OCR
    malformed            1 where it is not well-formed for its kind
    formless             1 where its kind has no form to violate
    checks_passed        checks with other fields that hold, at most 2
    checks_failed        checks that do not hold, at most 2
    kind_<kind>          1 for a value of the kind, where enough of them were seen in fitting
Features of a value that the model says is absent:
    bias, model_logit, model_unavailable    as above; the score is that of saying so
    required             1 where the type cannot do without it
    labelled             1 where one of the field's labels stands in the text
"""

import functools
import json
import math
import re
from collections.abc import Mapping
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.fields import Evidence, Unavailable

DEFAULT_FAMILY = "default"

_LEAST, _MOST = 0.02, 0.98
_MOST_CHECKS = 2
_LONG = 64
_MOST_DOUBLINGS = 4

Weights = Mapping[str, float]
Features = dict[str, float]


class Family(BaseModel):
    """The weights for the models of one family, by feature; one without a weight has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    present: dict[str, float]
    absent: dict[str, float]


class Parameters(BaseModel):
    """What `confidence.json` holds: how it was fitted, and the weights by model family."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    fitted: dict[str, str | int]
    families: dict[str, Family]

    def family(self, model: str) -> Family:
        """The weights for a model: those of its family, or the default ones."""
        return self.families.get(family_of(model)) or self.families[DEFAULT_FAMILY]


def family_of(model: str) -> str:
    """The word that a model's name begins with: `llama3.2:3b` is a `llama`, `local-x` a `local`."""
    word = re.match(r"(?:.*/)?([a-z]*)", model.lower())
    return word[1] if word else ""


@functools.cache
def parameters() -> Parameters:
    """The fitted parameters that come with the package; read once."""
    text = resources.files(__package__).joinpath("confidence.json").read_bytes()
    return Parameters.model_validate(json.loads(text))


def present(kind: str, value: str, evidence: Evidence, family: Family) -> float:
    """The probability, 0..1, that a value is right."""
    return weigh(present_features(kind, value, evidence), family.present)


def absent(
    score: float | Unavailable,
    family: Family,
    *,
    required: Literal[0, 1],
    labelled: Literal[0, 1],
) -> float:
    """The probability, 0..1, that a document truly has no such value."""
    return weigh(absent_features(score, required, labelled), family.absent)


def present_features(kind: str, value: str, evidence: Evidence) -> Features:
    """The features of a value that was given; see the module."""
    doublings = math.log2(max(1, evidence.occurrences))
    unread = evidence.ocr_confidence == "unavailable"
    return {
        "bias": 1.0,
        "model_logit": _logit(evidence.model_score),
        "model_unavailable": float(evidence.model_score == "unavailable"),
        "loose": float(evidence.grounding == "loose"),
        "ungrounded": float(evidence.grounding == "absent"),
        "repeated": min(doublings, _MOST_DOUBLINGS) / _MOST_DOUBLINGS,
        "ocr_logit": _logit(evidence.ocr_confidence),
        "ocr_unavailable": float(unread),
        "ocr_length": 0.0 if unread else min(len(value), _LONG) / _LONG,
        "malformed": float(evidence.format_valid is False),
        "formless": float(evidence.format_valid == "unavailable"),
        "checks_passed": float(min(evidence.checks_passed, _MOST_CHECKS)),
        "checks_failed": float(min(evidence.checks_failed, _MOST_CHECKS)),
        f"kind_{kind}": 1.0,
    }


def absent_features(
    score: float | Unavailable, required: Literal[0, 1], labelled: Literal[0, 1]
) -> Features:
    """The features of a value that the model says is absent; see the module."""
    return {
        "bias": 1.0,
        "model_logit": _logit(score),
        "model_unavailable": float(score == "unavailable"),
        "required": float(required),
        "labelled": float(labelled),
    }


def _logit(share: float | Unavailable) -> float:
    if isinstance(share, str):
        return 0.0
    held = min(_MOST, max(_LEAST, share))
    return math.log(held / (1 - held))


def weigh(features: Features, weights: Weights) -> float:
    """The logistic function of the weighted sum of the features, 0..1."""
    total = sum(weights.get(name, 0.0) * value for name, value in features.items())
    return 1.0 / (1.0 + math.exp(-min(30.0, max(-30.0, total))))
