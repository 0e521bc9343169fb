"""Conditions as SQL and as index filters; what they find is shown against real servers."""

import pytest
from sqlalchemy.dialects import postgresql

from gateway.errors import InvalidInput
from gateway.queries.conditions import compiled
from gateway.queries.entries import filters
from schemas.attributes import number_term
from schemas.where import parse


def test_nothing_of_the_client_is_part_of_the_statement() -> None:
    """Names and values are bound, whatever stands in them."""
    evil = "x') OR true; --"
    where = {f"metadata.{evil}": evil, "filename": {"contains": evil}, "type": {"ne": evil}}
    for condition in compiled(parse(where)):
        statement = str(condition.compile(dialect=postgresql.dialect()))
        assert "OR true" not in statement


def test_ranges_stay_within_their_path() -> None:
    """The open end of a range is the end of the terms of this path and kind."""
    [above] = filters(parse({"fields.a": {"gt": 1}}))
    [below] = filters(parse({"fields.a": {"lte": 1}}))
    term = number_term("fields.a", 1)
    assert above == {"range": {"attributes": {"gt": term, "lt": "fields.a#o"}}}
    assert below == {"range": {"attributes": {"gte": "fields.a#n", "lte": term}}}


def test_wildcards_of_the_client_are_characters() -> None:
    """A star in a condition stands for a star."""
    [clause] = filters(parse({"fields.a": {"contains": "50*?\\"}}))
    assert clause["wildcard"]["attributes"]["value"] == "fields.a=*50\\*\\?\\\\*"


def test_opposites_are_negations() -> None:
    """Unequal, absent and null are the negation of equal and present."""
    present = {"term": {"attributes": "fields.a?"}}
    for where in ({"fields.a": None}, {"fields.a": {"exists": False}}):
        assert filters(parse(where)) == [{"bool": {"must_not": [present]}}]
    assert filters(parse({"fields.a": {"ne": None}})) == [
        {"bool": {"must_not": [{"bool": {"must_not": [present]}}]}}
    ]


@pytest.mark.parametrize("name", ["status", "batch_id", "sha256"])
def test_search_says_what_only_lists_know(name: str) -> None:
    """What the index does not hold is an error that says where to ask instead."""
    with pytest.raises(InvalidInput, match=f"no {name}; list documents by it"):
        filters(parse({name: "failed"}))
