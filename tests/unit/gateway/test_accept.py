"""What a client takes, by its Accept."""

import pytest

from gateway.deps import _takes_json


@pytest.mark.parametrize(
    "accept",
    [None, "", "*/*", "application/json", "text/html, application/*;q=0.8", "application/ld+json"],
)
def test_json_is_taken(accept: str | None) -> None:
    """By name, by a range, or because nothing is said."""
    assert _takes_json(accept)


@pytest.mark.parametrize("accept", ["text/html", "image/png, text/*", "application/xml;q=0.9"])
def test_json_is_not_taken(accept: str) -> None:
    """Then the answer is 406, which is a problem document all the same."""
    assert not _takes_json(accept)
