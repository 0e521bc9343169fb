"""Vectors that do not fit the index are the model's trouble, never a bug of the stage."""

import pytest

from schemas.indexes import Vectors
from streams import targets
from streams.errors import RecordTrouble

THREE = Vectors("some-model", 3)


def test_vectors_of_the_right_length_go_on() -> None:
    """Untouched."""
    assert targets._fitting([[1.0, 0.0, 0.0]], THREE) == [[1.0, 0.0, 0.0]]


def test_vectors_of_another_length_are_tried_again() -> None:
    """The index would refuse the entry; the model may do better next time."""
    with pytest.raises(RecordTrouble, match="3 numbers"):
        targets._fitting([[1.0, 0.0, 0.0], [0.5]], THREE)
