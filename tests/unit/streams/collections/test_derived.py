"""What is derived of a body for the indexes."""

from schemas.writes import Indexes, TextIndex
from streams.collections import derived


def test_no_text_is_indexed_twice() -> None:
    """Of pointers that overlap, as older collections may have, each text counts once."""
    fields = ("/a", "/a", "/a/b", "/c", "", "", "")
    indexes = Indexes(text=TextIndex(fields=fields, fragments=True))
    found = derived.of(indexes, '{"a": {"b": "One"}, "c": "Two", "d": 3}')
    assert (found.words, found.fragments) == ("One\nTwo", "one\ntwo")
    apart = Indexes(text=TextIndex(fields=("/c", "/a/b")))
    assert derived.of(apart, '{"a": {"b": "One"}, "c": "Two"}').words == "Two\nOne"
