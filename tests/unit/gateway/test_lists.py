"""The link to the next page: the same call, for the same end user, from the cursor on."""

import pytest
from fastapi import Request, Response

from gateway.lists import link_next


def linked(query: bytes, cursor: str | None, *headers: tuple[bytes, bytes]) -> str | None:
    """Returns: the header of a page of this call."""
    scope = {"type": "http", "path": "/v1/documents", "query_string": query, "headers": headers}
    response = Response()
    link_next(Request(scope), response, cursor)
    return response.headers.get("link")


@pytest.mark.parametrize(
    ("query", "header", "following"),
    [
        (b"", None, "cursor=2"),
        (b"limit=1&cursor=1&q=a%26b", None, "limit=1&cursor=2&q=a%26b"),
        (b"subject=J%C3%BCrgen", None, "subject=J%C3%BCrgen&cursor=2"),
        (b"limit=1", "Jürgen", "limit=1&cursor=2&subject=J%C3%BCrgen"),
        (b"subject=ann", "ann", "subject=ann&cursor=2"),
    ],
)
def test_the_next_page_is_of_the_same_call(
    query: bytes, header: str | None, following: str
) -> None:
    """Whoever follows it sends no headers but the key's."""
    named = [] if header is None else [(b"actionstream-subject", header.encode())]
    assert linked(query, "2", *named) == f'</v1/documents?{following}>; rel="next"'


def test_the_last_page_links_nowhere() -> None:
    """Without a cursor there is no next one."""
    assert linked(b"limit=1", None) is None
