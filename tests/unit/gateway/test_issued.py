"""Which call of a request is the first one at a gateway."""

import pytest

from gateway.errors import MaybePublished, Unavailable
from gateway.keys.issued import Issued


def test_only_the_first_call_is_the_first() -> None:
    """Of each request."""
    issued = Issued()
    firsts = []
    for request_id in ("a", "b", "a"):
        with issued.noted(request_id) as is_first:
            firsts.append(is_first)
    assert firsts == [True, True, False]


@pytest.mark.parametrize(("error", "is_first"), [(Unavailable, True), (MaybePublished, False)])
def test_a_call_that_published_nothing_was_none(
    error: type[Unavailable], *, is_first: bool
) -> None:
    """One whose record may be in the log counts."""
    issued = Issued()
    with pytest.raises(error), issued.noted("a"):
        raise error("away")
    with issued.noted("a") as found:
        assert found is is_first
