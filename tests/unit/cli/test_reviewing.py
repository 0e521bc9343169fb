"""Reviews on the command line: what is written there, and what is sent."""

import pytest

from cli.errors import Failure
from cli.reviewing import corrected


def test_values_are_text_unless_they_are_json() -> None:
    """A number stays as it was typed, because that is how it is printed on the document."""
    changes = ("total=12.50", "due=", 'items=[{"price": "1.60"}]', "note=a=b")
    assert corrected(changes) == {
        "total": "12.50",
        "due": None,
        "items": [{"price": "1.60"}],
        "note": "a=b",
    }


def test_no_changes_are_none() -> None:
    """The type alone can be corrected."""
    assert corrected(()) is None


@pytest.mark.parametrize("change", ["total", "=12", "items=[1,"])
def test_what_is_no_correction_is_said(change: str) -> None:
    """With how to write one."""
    with pytest.raises(Failure):
        corrected((change,))
