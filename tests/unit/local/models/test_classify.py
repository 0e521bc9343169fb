"""Types are ranked by the evidence in the request alone."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from local.models.classify import MAX_KNOWN, Classifier
from local.models.prompt import DocumentType

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

TYPES = (
    DocumentType("logbook", "Entries of a ship's voyage: course, wind, position", ("Wind west",)),
    DocumentType("menu", "Dishes of a restaurant with their prices", ("Soup of the day 5.00",)),
    DocumentType("rest", "Something else: none of the other types", ("A page of notes",)),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Noon. Course north, wind west, position uncertain. Voyage day 4.", "logbook"),
        ("Restaurant Anchor. Soup of the day 4.50. Dishes with prices.", "menu"),
        ("Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.", "rest"),
    ],
)
def test_the_nearest_type_wins_and_what_fits_none_is_the_rest(
    text: str, expected: str, embed: Embed
) -> None:
    """Also the type for everything else is told by its description, not by its name."""
    ranked = Classifier(embed).rank(text, TYPES)
    assert ranked[0][0] == expected


@pytest.mark.parametrize("text", ["", "wind", "menu " * 5000, "\x00\f"])
def test_probabilities_sum_to_one_best_first(text: str, embed: Embed) -> None:
    """Every type is ranked, whatever the text."""
    ranked = Classifier(embed).rank(text, TYPES)
    shares = [share for _, share in ranked]
    assert {name for name, _ in ranked} == {kind.name for kind in TYPES}
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)


def test_a_close_call_has_less_confidence(embed: Embed) -> None:
    """A text between two types is not called certain."""
    classifier = Classifier(embed)
    clear = classifier.rank("Course north, wind west, voyage, position", TYPES)[0][1]
    close = classifier.rank("Course, wind. Dishes, soup of the day", TYPES)[0][1]
    assert close < clear


def test_types_without_examples_or_description_are_ranked_too(embed: Embed) -> None:
    """A name is enough."""
    ranked = Classifier(embed).rank("a logbook", [DocumentType("logbook", ""), TYPES[1]])
    assert ranked[0][0] == "logbook"


def test_only_so_many_lists_of_types_are_kept(embed: Embed) -> None:
    """Tenants without number do not fill the memory."""
    classifier = Classifier(embed)
    for number in range(MAX_KNOWN + 5):
        classifier.rank("text", [DocumentType(f"type_{number}", "")])
    assert len(classifier._known) == MAX_KNOWN
