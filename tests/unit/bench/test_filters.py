"""What of the language of filters is measured."""

from bench.filters import Case, cases
from bench.subjects import FRAGMENTS
from schemas.object_where import parse
from schemas.where import RANGES, Op


def _operators(case: Case) -> set[Op]:
    return {one.op for one in parse(case.where or {})}


def test_every_operator_is_measured() -> None:
    """Of the ranges one at least; beside them words, fragments, counts, conditions together."""
    found = cases(10_000)
    measured = set().union(*map(_operators, found))
    assert set(Op) - measured <= RANGES
    assert measured & RANGES
    assert any(case.q for case in found)
    assert any(case.q for case in found if case.collection == FRAGMENTS)
    assert any(case.count for case in found)
    assert any(len(case.where or {}) > 2 for case in found)


def test_every_case_has_a_name_of_its_own() -> None:
    """So that no two lines of a report mean different things by the same words."""
    names = [case.name for case in cases(10_000)]
    assert len(set(names)) == len(names)
