"""What of an object's body a search finds."""

from typing import Any

import pytest

from streams.sources.objects import origin_of, text_of

BODY: dict[str, Any] = {
    "title": "  Rain ",
    "text": "It rained.\n\nAll day.",
    "tags": ["wet", " ", "grey", 7, True, None],
    "mood": 4,
    "half": 2.5,
    "dry": False,
    "none": None,
    "weather": {"sky": "low", "wind": {"from": "west"}},
}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (["/text"], "It rained.\n\nAll day."),
        (["/title", "/tags"], "Rain\n\nwet, grey, 7"),
        (["/mood", "/half"], "4\n\n2.5"),
        (["/weather"], "low, west"),
        (["/weather/wind/from", "/tags/0"], "west\n\nwet"),
        (["/dry", "/none", "/nothing"], ""),
    ],
)
def test_the_values_at_the_pointers_are_joined(fields: list[str], text: str) -> None:
    """A paragraph for each; true, false, null and what is not there are no text."""
    assert text_of(BODY, fields) == text


def test_the_whole_body_can_be_found() -> None:
    """By the empty pointer."""
    assert text_of(BODY, [""]).startswith("Rain, It rained.")


def test_an_origin_tells_other_settings() -> None:
    """The order of names is of no matter, what they say is."""
    assert origin_of({"fields": ["/a"], "title": None}) == origin_of(
        {"title": None, "fields": ["/a"]}
    )
    assert origin_of({"fields": ["/a"]}) != origin_of({"fields": ["/b"]})
