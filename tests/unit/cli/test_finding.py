"""Searching: the call's body, and passages with their matches."""

import pytest
from rich.console import Console

from cli.errors import Failure
from cli.finding import Wanted, highlighted, show_hits
from tests.unit.cli.conftest import printed

PASSAGE = {
    "page": 2,
    "start": 100,
    "end": 130,
    "text": "Plum\n   cake with plums",
    "matches": [{"start": 100, "end": 104}, {"start": 118, "end": 123}],
}


def test_where_becomes_an_object() -> None:
    """The text of the option is sent as the object that it is."""
    body = Wanted(query="plums", where='{"type": "other"}').body()
    assert body == {"q": "plums", "mode": "hybrid", "limit": 10, "where": {"type": "other"}}


def test_places_go_along() -> None:
    """As they are; the server says which of them it does not know."""
    body = Wanted(query="plums", places=("documents", "collections/recipes")).body()
    assert body["in"] == ["documents", "collections/recipes"]


@pytest.mark.parametrize("where", ["type=other", "[1]", "3"])
def test_where_must_be_an_object(where: str) -> None:
    """Anything else is refused before it is sent."""
    with pytest.raises(Failure, match="--where must be a JSON object"):
        Wanted(query="plums", where=where).body()


def test_matches_are_marked_by_their_offsets() -> None:
    """Offsets count from the page's start; white space is tidied and nothing else is."""
    assert highlighted(PASSAGE, coloured=False).plain == "*Plum* cake with *plums*"


def test_matches_have_a_colour_on_a_terminal() -> None:
    """On a terminal the words that matched stand out by colour alone."""
    found = highlighted(PASSAGE, coloured=True)
    assert found.plain == "Plum cake with plums"
    assert [found.plain[span.start : span.end] for span in found.spans] == ["Plum", "plums"]


def test_hits_show_where_they_stand(page: Console) -> None:
    """A hit has name, type, score, id and page; a notice comes first."""
    hit = {
        "document_id": "doc_1",
        "title": None,
        "filename": "recipe.md",
        "type": "other",
        "score": 0.5,
        "highlights": [PASSAGE],
    }
    show_hits(page, {"notices": ["by words only"], "items": [hit], "has_more": True})
    lines = printed(page).splitlines()
    assert lines[0] == "by words only"
    assert lines[1].startswith("1. recipe.md  other  score 0.50")
    assert lines[2].strip().startswith("page 2: *Plum*")


def test_nothing_found_is_said(page: Console) -> None:
    """An empty page is a sentence and not silence."""
    show_hits(page, {"notices": [], "items": [], "has_more": False})
    assert printed(page).strip() == "nothing was found"


def test_an_object_shows_its_collection_and_no_page(page: Console) -> None:
    """Its text is one page."""
    hit = {
        "kind": "object",
        "id": "obj_1",
        "collection": "recipes",
        "title": "Plum cake",
        "score": 0.5,
        "highlights": [PASSAGE],
    }
    show_hits(page, {"notices": [], "items": [hit], "has_more": False})
    lines = printed(page).splitlines()
    assert lines[0].startswith("1. Plum cake  recipes  score 0.50")
    assert lines[0].endswith("obj_1")
    assert lines[1].strip().startswith("*Plum*")
