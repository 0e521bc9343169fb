"""What stands at a JSON Pointer."""

from typing import Any

import pytest

from schemas.pointers import MISSING, find

VALUE: dict[str, Any] = {"a": {"b/c": [1, {"d~e": None}]}, "": 0, "list": ["x"]}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", VALUE),
        ("/a/b~1c/0", 1),
        ("/a/b~1c/1/d~0e", None),
        ("/", 0),
        ("/list/0", "x"),
        ("/list/1", MISSING),
        ("/list/00", MISSING),
        ("/list/-", MISSING),
        ("/a/nothing", MISSING),
        ("/list/0/deeper", MISSING),
    ],
)
def test_a_pointer_leads_to_one_value(pointer: str, found: object) -> None:
    """To none where a name or a place is not there (RFC 6901, sections 3 to 5)."""
    assert find(VALUE, pointer) is found or find(VALUE, pointer) == found
