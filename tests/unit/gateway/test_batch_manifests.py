"""Manifests of a form: which lines they have."""

import json

import pytest

from gateway.batch_intake import _manifest

TITLES = {"a.pdf": "one\u2028two\u2029three\u0085four", "b.pdf": "five"}
LINES = [
    json.dumps({"path": path, "title": title}, ensure_ascii=False) for path, title in TITLES.items()
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\r\n"])
def test_only_line_feeds_end_a_line(end: str) -> None:
    """JSON strings may hold what Unicode counts as the end of a line too."""
    found = _manifest(f"{end.join(LINES)}{end}")

    assert {path: line.title for path, line in found.items()} == TITLES
