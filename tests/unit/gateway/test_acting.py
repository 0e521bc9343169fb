"""Who a call is for: what its key says, and what the call itself names."""

import pytest
from fastapi import Request

from gateway.acting import acting, in_headers, of_call
from gateway.errors import Forbidden, InvalidInput
from gateway.principal import Principal

EVERYONE = Principal("demo", None, "key_1", frozenset({"read"}), "key:1/m")
ANN = Principal("demo", "ann", "key_2", frozenset({"read"}), None)


def call(query: bytes = b"", *headers: bytes) -> Request:
    """A call with this query, and a header of an end user for each value."""
    named = [(b"actionstream-subject", value) for value in headers]
    return Request({"type": "http", "query_string": query, "headers": [(b"host", b"x"), *named]})


@pytest.mark.parametrize(
    ("query", "headers", "subject"),
    [
        (b"", (), None),
        (b"limit=1", (), None),
        (b"subject=ann", (), "ann"),
        (b"subject=J%C3%BCrgen+M", (), "Jürgen M"),
        (b"", (b"ann",), "ann"),
        (b"", ("Jürgen".encode(),), "Jürgen"),
        (b"subject=ann", (b"ann",), "ann"),
        (b"%73ubject=ann", (), "ann"),
        (b"subject=" + b"x" * 256, (), "x" * 256),
    ],
)
def test_a_key_of_all_acts_as_who_is_named(
    query: bytes, headers: tuple[bytes, ...], subject: str | None
) -> None:
    """By parameter or header; all else of the key stays as it is."""
    found = of_call(call(query, *headers), EVERYONE, "/v1/documents")

    assert found == Principal("demo", subject, "key_1", frozenset({"read"}), "key:1/m")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (b"subject=", ()),
        (b"subject=a%00b", ()),
        (b"subject=M%FCller", ()),
        (b"subject=" + b"x" * 257, ()),
        (b"", (b"",)),
        (b"", (b"M\xfcller",)),
        (b"subject=ann&subject=bob", ()),
        (b"subject=ann", (b"bob",)),
        (b"", (b"ann", b"bob")),
    ],
)
def test_what_is_no_end_user_is_refused(query: bytes, headers: tuple[bytes, ...]) -> None:
    """Nothing of it is guessed, since a wrong guess would show another one's memory."""
    with pytest.raises(InvalidInput, match="subject"):
        of_call(call(query, *headers), EVERYONE, "/v1/documents")


@pytest.mark.parametrize(
    "query",
    [b"Subject=ann", b"SUBJECT=", b"subject+=ann", b"%09subject=ann", b"limit=1&subject&Subject=a"],
)
@pytest.mark.parametrize("path", ["/v1/documents", "/v1/admin/gpts"])
def test_a_misspelt_parameter_is_not_overlooked(query: bytes, path: str) -> None:
    """The call would be everybody's, though it was meant to be one end user's."""
    with pytest.raises(InvalidInput, match="write the parameter as subject") as raised:
        of_call(call(query), EVERYONE, path)
    assert [error.pointer for error in raised.value.errors] == ["/query/subject"]


def test_other_parameters_are_no_misspelling() -> None:
    """Those of events name what they are of, and are no end users."""
    found = of_call(call(b"subject_id=doc_1&q=Subject"), EVERYONE, "/v1/events")
    assert found.subject is None


def test_a_key_of_one_end_user_is_of_no_other() -> None:
    """Naming itself changes nothing."""
    assert of_call(call(b"subject=ann"), ANN, "/v1/documents") == ANN
    with pytest.raises(Forbidden):
        of_call(call(b"subject=bob"), ANN, "/v1/documents")
    with pytest.raises(Forbidden):
        acting(ANN, in_headers(call(b"", b"bob").scope))


def test_administrators_act_as_nobody() -> None:
    """What they do is no end user's; it is not ignored."""
    for asked in (call(b"subject=ann"), call(b"", b"ann")):
        with pytest.raises(InvalidInput, match="/v1/admin"):
            of_call(asked, EVERYONE, "/v1/admin/gpts")
