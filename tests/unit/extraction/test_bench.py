"""The measures themselves: comparing with the truth, and the honesty of confidences."""

import random

import pytest

from bench.calibration import PRIOR_PRESENT, Seen, fit, measure
from bench.cases import Case, Truth, halves
from bench.matching import compare
from schemas.document_types import builtin
from schemas.fields import Answer, Evidence, FieldAnswer
from streams.extraction.normalise import Hints, normalise

_EVIDENCE = Evidence(
    model_score="unavailable", grounding="exact", occurrences=1, ocr_confidence="unavailable",
    format_valid=True, checks_passed=0, checks_failed=0,
)  # fmt: skip


def _answer(kind: str, value: str | None) -> FieldAnswer:
    normal = None if value is None else normalise(kind, value)
    return FieldAnswer(value=value, normalised=normal, confidence=0.9, evidence=_EVIDENCE)


@pytest.mark.parametrize(
    ("name", "kind", "truth", "given", "ways"),
    [
        ("company", "party", "ACME  LTD ", "ACME LTD", (True, True, True)),
        ("company", "party", "ACME LTD.", "Acme Ltd", (False, True, True)),
        ("company", "party", "ACME LTD", "ACNE LTD", (False, False, False)),
        ("company", "party", "ACME", None, (False, False, False)),
        ("total", "amount", "9.00", "RM 9.00", (False, False, True)),
        ("total", "amount", "9.00", "90.0", (False, True, False)),
        ("date", "date", "05 MAR 2018", "05/03/2018", (False, False, True)),
    ],
)
def test_the_three_ways_of_comparing_stay_apart(
    name: str, kind: str, truth: str, given: str | None, ways: tuple[bool, bool, bool]
) -> None:
    """Strict, loose and by meaning each have their own verdict."""
    fields: dict[str, Answer] = {name: _answer(kind, given)}
    [match] = compare(builtin()["receipt"], {name: Truth(truth)}, fields, Hints())
    assert (match.strict, match.loose, match.meant) == ways


def test_what_is_absent_and_said_so_is_right_and_an_invention_is_wrong() -> None:
    """A true null counts neither as found nor as missed."""
    receipt = builtin()["receipt"]
    [right] = compare(receipt, {"tax": None}, {"tax": _answer("amount", None)}, Hints())
    [wrong] = compare(receipt, {"tax": None}, {"tax": _answer("amount", "1.00")}, Hints())
    assert (right.meant, right.given) == (True, False)
    assert (wrong.meant, wrong.given) == (False, True)


def test_rows_are_aligned_before_they_are_compared() -> None:
    """A missed row costs itself and not all rows behind it."""
    names = ("Bread", "Milk", "Salt")
    truths = [{"description": Truth(name), "amount": None} for name in names]
    rows = [
        {"description": _answer("text", name), "amount": _answer("amount", None)}
        for name in names[1:]
    ]
    receipt = builtin()["receipt"]
    matches = list(compare(receipt, {"lines": truths}, {"lines": rows}, Hints()))
    right = [one.truth for one in matches if one.meant and one.truth]
    assert right == ["Milk", "Salt"]
    assert all(one.weight == pytest.approx(1 / 3) for one in matches)


def test_honest_confidences_are_measured_as_honest() -> None:
    """Known figures: perfect ones, the opposite, and always the same."""
    perfect = measure([1.0, 1.0, 0.0], [True, True, False])
    assert (perfect.ece, perfect.brier, perfect.auroc) == (0.0, 0.0, 1.0)
    assert measure([0.0, 1.0], [True, False]).auroc == 0.0
    flat = measure([0.75] * 4, [True, True, True, False])
    assert (flat.ece, flat.auroc, len(flat.bins)) == (0.0, 0.5, 1)
    assert measure([], []).answers == 0
    assert measure([0.9], [True]).auroc is None


def test_the_fit_finds_what_matters_and_keeps_the_signs() -> None:
    """Weights follow the data, and no weight rewards worse evidence."""
    chance = random.Random(5)
    seen = []
    for _ in range(400):
        loose, failed = float(chance.random() < 0.5), float(chance.random() < 0.5)
        right = chance.random() < (0.95 if not loose else 0.4)
        seen.append(Seen({"bias": 1.0, "loose": loose, "checks_failed": failed}, 0.5, right=right))
    weights = fit(seen, PRIOR_PRESENT)
    assert weights["loose"] < -2
    assert weights["checks_failed"] <= PRIOR_PRESENT["checks_failed"] / 2
    assert weights["malformed"] == PRIOR_PRESENT["malformed"]
    assert fit([], PRIOR_PRESENT) == PRIOR_PRESENT


def test_the_halves_share_nothing_and_miss_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Every group is in both halves, whatever other groups there are."""
    folder = tmp_path_factory.getbasetemp()
    cases = [
        Case(group, folder / f"{number}.txt", "letter", {})
        for group in ("a", "b")
        for number in range(5)
    ]
    first, second = halves(cases)
    assert not {one.name for one in first} & {one.name for one in second}
    assert len(first) + len(second) == len(cases)
    assert [one.name for one in halves(cases[:5])[0]] == [one.name for one in first[:3]]
