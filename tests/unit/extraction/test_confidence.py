"""From evidence to a probability."""

import pytest

from schemas.fields import Evidence
from streams.extraction.confidence import (
    DEFAULT_FAMILY,
    Family,
    absent,
    parameters,
    present,
    present_features,
)

_GOOD = Evidence(
    model_score=0.9, grounding="exact", occurrences=1, ocr_confidence="unavailable",
    format_valid=True, checks_passed=1, checks_failed=0,
)  # fmt: skip


def _but(**changes: object) -> Evidence:
    return _GOOD.model_copy(update=changes)


@pytest.mark.parametrize(
    "worse",
    [
        {"grounding": "absent", "occurrences": 0},
        {"format_valid": False},
        {"checks_passed": 0, "checks_failed": 1},
    ],
)
@pytest.mark.parametrize("family", list(parameters().families))
def test_worse_evidence_lowers_every_family(family: str, worse: dict[str, object]) -> None:
    """Whatever was fitted, a value that is not in the text or does not add up is less sure."""
    weights = parameters().families[family]
    assert present("amount", "12.50", _but(**worse), weights) < present(
        "amount", "12.50", _GOOD, weights
    )


def test_unavailable_evidence_is_not_a_zero() -> None:
    """A missing score differs from a score of nothing."""
    missing, nothing = _but(model_score="unavailable"), _but(model_score=0.0)
    assert present_features("date", "1 May", missing)["model_unavailable"] == 1
    assert present_features("date", "1 May", missing)["model_logit"] == 0
    assert present_features("date", "1 May", nothing)["model_logit"] < -3


def test_probabilities_stay_between_0_and_1() -> None:
    """Weights of any size give a probability."""
    for bias in (-1e9, 0.0, 1e9):
        family = Family(present={"bias": bias}, absent={"bias": bias})
        assert 0.0 <= present("text", "word", _GOOD, family) <= 1.0
        assert 0.0 <= absent("unavailable", family, required=1, labelled=0) <= 1.0


def test_a_long_text_read_by_ocr_is_less_sure() -> None:
    """Every character that was read may be misread; a text layer has no such risk."""
    family, scanned = parameters().families["local"], _but(ocr_confidence=0.9)
    assert present("text", "x" * 60, scanned, family) < present("text", "x", scanned, family)
    assert present("text", "x" * 60, _GOOD, family) == present("text", "x", _GOOD, family)


def test_a_required_value_is_seldom_truly_absent() -> None:
    """That a field is required, or labelled in print, speaks against its absence."""
    family = parameters().families[DEFAULT_FAMILY]
    free = absent(0.8, family, required=0, labelled=0)
    assert absent(0.8, family, required=1, labelled=0) < free
    assert absent(0.8, family, required=0, labelled=1) < free


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("fam-extractive", "fam"),
        ("fam3.2:3b", "fam"),
        ("hub/user/fam:7b", "fam"),
        ("other", "default"),
        ("", "default"),
    ],
)
def test_a_model_is_weighed_by_its_family(model: str, family: str) -> None:
    """The first word of the name, behind a registry's path, is the family."""
    families = {name: Family(present={name: 1.0}, absent={}) for name in ("fam", "default")}
    found = parameters().model_copy(update={"families": families}).family(model)
    assert found is families[family]
