"""Manifests from outside: what is said of which file, and which lines cannot be used."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batches import Described
from streams.expanding import manifest
from streams.expanding.trouble import Trouble


def lines(*each: object) -> bytes:
    return "\n".join(json.dumps(one) for one in each).encode()


def test_a_file_is_described() -> None:
    """What a line says of its file goes before what is said of all."""
    defaults = Described(title="All", metadata={"client": "acme", "year": 2025}, type="invoice")
    content = lines({"path": "a.pdf", "metadata": {"year": 2026}}, {"path": "b.pdf", "title": "B"})
    found = manifest.parse(content, most_lines=10)

    assert found.wrong == {}
    assert found.of("a.pdf", defaults).metadata == {"client": "acme", "year": 2026}
    assert found.of("b.pdf", defaults).title == "B"
    assert found.of("c.pdf", defaults) == defaults


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON",
        b"[]",
        b'{"title": "no path"}',
        b'{"path": "a.pdf", "kind": "unknown"}',
        b'{"path": "a.pdf", "type": "No Type"}',
        b'{"path": "a.pdf", "title": "\\u0000"}',
        b'{"path": "a.pdf", "title": "\xff"}',
        b'{"path": "\\ud800"}',
    ],
)
def test_a_wrong_line_stops_no_other(line: bytes) -> None:
    """It is told with its number, and the line beside it holds."""
    found = manifest.parse(line + b"\n\n" + lines({"path": "b.pdf"}), most_lines=10)

    assert list(found.wrong) == [1]
    assert "Line 1" in found.wrong[1].detail
    assert list(found.files) == ["b.pdf"]


def test_a_path_that_stands_twice() -> None:
    """The first line holds, the second is told."""
    content = lines({"path": "a", "title": "1"}, {"path": "a", "title": "2"})
    found = manifest.parse(content, most_lines=10)

    assert found.files["a"].title == "1"
    assert list(found.wrong) == [2]


def test_a_manifest_of_too_many_lines() -> None:
    """More lines than an archive may have files are refused as a whole."""
    with pytest.raises(Trouble):
        manifest.parse(lines(*({"path": str(n)} for n in range(11))), most_lines=10)


def test_metadata_that_is_too_much_together() -> None:
    """What is said of all and of one file must be one document's metadata."""
    defaults = Described(metadata={f"a{n}": n for n in range(40)})
    own = {f"b{n}": n for n in range(40)}
    found = manifest.parse(lines({"path": "a", "metadata": own}), most_lines=10)

    with pytest.raises(Trouble):
        found.of("a", defaults)


@given(st.binary())
def test_any_bytes(content: bytes) -> None:
    """Whatever a manifest holds, each of its lines is used or told."""
    found = manifest.parse(content, most_lines=10_000)

    assert set(found.wrong) <= set(range(1, content.count(b"\n") + 2))
