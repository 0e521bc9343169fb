"""The prepared text is the same for every spelling, and the reference check finds a bad backend."""

import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import embedding_text
from schemas.embedding_text import PROBES, disagreement, parse_reference, prepare

REFERENCE = parse_reference(embedding_text.REFERENCE_PATH.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Müller & Söhne GmbH", "muller & sohne gmbh"),
        ("Łódź", "łodz"),
        ("naïve café", "naive cafe"),
        ("a+b=c", "a + b = c"),
        ("`code`", "` code `"),
        ("<I>", "< i >"),
        ("Total $12.50", "total $ 12 . 50"),
        ("Ünïcode—dash “quotes”", 'unicode - dash " quotes "'),
        ("l\u2019été \u2013 «oui»…", 'l \' ete - " oui " . . .'),
        ("İstanbul", "istanbul"),
        ("東京tower", "東 京 tower"),
        ("a\x00b\u200bc\ufeff\td", "abc d"),
        ("12 €\u00a0netto", "12 € netto"),
        ("x" * 201, f"{'x' * 100} {'x' * 100} x"),
        ("", ""),
        (" \n\t ", ""),
    ],
)
def test_prepare(text: str, expected: str) -> None:
    """Accents go, letters are lowered, symbols stand apart, typography is ASCII."""
    assert prepare(text) == expected


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_prepares_as_its_twin(probe: embedding_text.Probe) -> None:
    """Both spellings of a probe become one text."""
    assert prepare(probe.text) == prepare(probe.twin)


@given(st.text())
def test_prepare_is_idempotent_and_plain(text: str) -> None:
    """Preparing twice changes nothing; no accents, controls or capitals are left."""
    prepared = prepare(text)
    assert prepare(prepared) == prepared
    assert not any(unicodedata.category(c) in {"Mn", "Cc", "Cf", "Cs"} for c in prepared)
    assert prepared == prepared.strip()


def test_the_reference_holds_a_unit_vector_for_each_probe() -> None:
    """The committed vectors are those of the eight probes, 384 dimensions each."""
    assert [len(vector) for vector in REFERENCE] == [384] * 8
    assert all(math.hypot(*vector) == pytest.approx(1.0, abs=1e-3) for vector in REFERENCE)


def test_the_reference_agrees_with_itself() -> None:
    """Rounding to four digits stays far below the limit."""
    assert disagreement(REFERENCE, REFERENCE) < 1e-6


def test_one_wrong_vector_is_a_disagreement() -> None:
    """The worst probe decides."""
    wrong = [*REFERENCE[:-1], REFERENCE[0]]
    assert disagreement(wrong, REFERENCE) > embedding_text.DISAGREEMENT_LIMIT


@pytest.mark.parametrize("vectors", [[], REFERENCE[:-1], [[0.0] * 384] * 8, [[1.0] * 3] * 8])
def test_what_cannot_be_compared_disagrees_wholly(vectors: list[list[float]]) -> None:
    """Missing, zero and short vectors never pass."""
    assert disagreement(vectors, REFERENCE) == 2.0


def test_nothing_is_not_agreement() -> None:
    """An empty reference proves nothing."""
    assert disagreement([], []) == 2.0


def test_a_vector_that_is_not_a_number_disagrees() -> None:
    """NaN in one place is found."""
    broken = [[math.nan] * 384, *REFERENCE[1:]]
    assert disagreement(broken, REFERENCE) == 2.0


def test_a_reference_of_another_version_is_refused() -> None:
    """Vectors made with another preparation must not be compared."""
    document = json.loads(embedding_text.REFERENCE_PATH.read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="version"):
        parse_reference(json.dumps({**document, "preparation_version": 0}))
    with pytest.raises(ValueError, match="probes"):
        parse_reference(json.dumps({**document, "probes": document["probes"][1:]}))
