"""What the index should hold of a document, and whether it does."""

from typing import Any

import pytest

from schemas.indexes import Vectors
from streams.chunking import Chunk
from streams.clients.index_entries import Held
from streams.entries import Content, Standing

OF_RUN = frozenset({"run_1"})
AGREED = Held(count=3, lowest_version=7, highest_version=7, last_ordinal=2, origins=OF_RUN)


def content(chunks: int, title: str | None = None, most_held: int = 0) -> Content:
    return Content(
        id="doc_1",
        gpt_id="demo",
        version=7,
        origin="run_1",
        chunks=[Chunk(n, 1, 0, 4, f"text {n}") for n in range(chunks)],
        most_held=most_held,
        heading=title,
        about={"title": title},
    )


@pytest.mark.parametrize(
    ("standing", "held", "differences"),
    [
        ({}, AGREED, 0),
        ({}, None, 1),
        ({"version": 8}, AGREED, 1),
        ({"chunk_count": 2}, AGREED, 1),
        ({}, Held(3, 6, 7, 2, OF_RUN), 1),
        ({}, Held(3, 7, 8, 2, OF_RUN), 1),
        ({}, Held(3, 7, 7, 3, OF_RUN), 1),
        ({}, Held(3, 7, 7, 2, frozenset({"run_0", "run_1"})), 1),
        ({"gone": True}, AGREED, 1),
        ({"gone": True}, None, 0),
        ({"origin": None, "chunk_count": 0}, None, 0),
        ({"origin": None, "chunk_count": 0}, AGREED, 1),
        ({"chunk_count": 0}, None, 1),
    ],
)
def test_an_index_agrees_with_a_document(
    standing: dict[str, Any], held: Held | None, differences: int
) -> None:
    """Only with all its entries, at its version, and no other; no stored chunk proves nothing."""
    stands = {"version": 7, "gone": False, "origin": "run_1", "chunk_count": 3, **standing}
    assert Standing("doc_1", "demo", **stands).agrees(held) is not bool(differences)


def test_many_chunks_come_in_parts() -> None:
    """None is lost or repeated, and no part is large."""
    parts = list(content(600).parts())
    assert [each.ordinal for part in parts for each in part] == list(range(600))
    assert max(map(len, parts)) <= 256


def test_an_entry_has_its_vector_and_its_model() -> None:
    """With vectors it says which model made them; without any it is found by its words alone."""
    made = content(2, title="Title")
    made_by = Vectors("m", 2)
    with_vectors = dict(made.entries(made.chunks, made_by, [[1, 0], [0, 1]]))
    without = dict(made.entries(made.chunks, made_by, None))

    assert list(with_vectors) == list(without) == made.ids == ["doc_1:0", "doc_1:1"]
    assert with_vectors["doc_1:1"]["embedding"] == [0, 1]
    assert with_vectors["doc_1:1"]["embedding_model"] == "m"
    assert "embedding" not in without["doc_1:1"]
    assert without["doc_1:1"]["content"] == "text 1"
    assert made.text(made.chunks[0]) == "Title\ntext 0"
