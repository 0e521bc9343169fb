"""The index's own name, and what its mapping says of its vectors."""

import pytest

from schemas.indexes import Vectors, index_body, index_name, revision_of


@pytest.mark.parametrize(
    ("name", "revision"),
    [
        (index_name("local-minilm", 384), 1),
        ("some-prefix-v7-" + index_name("nomic-embed:v1.5", 768, 12), 12),
        ("something-else", 0),
    ],
)
def test_a_name_tells_its_revision(name: str, revision: int) -> None:
    """Whatever prefix and model are in it too."""
    assert revision_of(name) == revision


def test_a_mapping_tells_what_made_its_vectors() -> None:
    """What `index_body` notes is what `Vectors.of` reads; an older release noted nothing."""
    vectors = Vectors("local-minilm", 384)
    mapping = index_body(vectors)["mappings"]

    assert Vectors.of(mapping) == vectors
    assert mapping["properties"]["embedding"]["dimension"] == 384
    assert Vectors.of({"properties": {}}) is None


def test_vectors_of_texts_that_were_prepared_otherwise_cannot_be_made() -> None:
    """Only those of this code's own preparation can."""
    assert Vectors("a", 3).can_be_made
    assert not Vectors("a", 3, preparation=0).can_be_made
