"""If-Match and If-None-Match as RFC 9110 has them, where an ETag is a quoted version."""

import pytest

from gateway.errors import InvalidInput, PreconditionFailed
from gateway.preconditions import (
    NEVER,
    check_read,
    is_known,
    only_if_absent,
    only_if_there,
    wanted_version,
)


def test_a_version_comes_from_header_or_body() -> None:
    """If-Match is an ETag as it was sent; `*` asks for none; two that differ are refused."""
    assert wanted_version(None, None) is None
    assert wanted_version(4, None) == wanted_version(None, '"4"') == wanted_version(4, ' "4" ') == 4
    assert wanted_version(4, "*") == 4
    for if_version, if_match in ((None, "4"), (None, '"4'), (5, '"4"'), (None, '"4", "5"')):
        with pytest.raises(InvalidInput):
            wanted_version(if_version, if_match)


@pytest.mark.parametrize("if_match", ['W/"4"', '"a"', '""', '"4444444444444444"'])
def test_an_etag_that_is_not_ours_is_of_no_version(if_match: str) -> None:
    """It fails as a condition and not as a request; weak ones match nothing (section 13.1.1)."""
    assert wanted_version(None, if_match) == NEVER


def test_any_version_must_be_one() -> None:
    """`If-Match: *` holds only where something is there."""
    assert only_if_there("*")
    assert only_if_there(" * ")
    assert only_if_there(None, if_exists=True)
    assert not only_if_there(None)
    assert not only_if_there('"4"')


def test_none_may_be_there() -> None:
    """`If-None-Match: *` holds only where nothing is there; ETags are not taken with writes."""
    assert only_if_absent("*")
    assert only_if_absent(None, if_absent=True)
    assert not only_if_absent(None)
    with pytest.raises(InvalidInput):
        only_if_absent('"4"')


@pytest.mark.parametrize("if_match", [None, "*", '"4"', '"3", "4"'])
def test_a_read_is_answered_where_its_condition_holds(if_match: str | None) -> None:
    """One of several ETags is enough."""
    check_read(4, if_match)
    assert is_known(4, if_match or "*")


@pytest.mark.parametrize("if_match", ['"3"', 'W/"4"', '"3", W/"4"', "4"])
def test_a_read_is_refused_where_its_condition_does_not_hold(if_match: str) -> None:
    """They are compared strongly."""
    with pytest.raises(PreconditionFailed):
        check_read(4, if_match)


def test_what_a_client_has_is_compared_weakly() -> None:
    """If-None-Match of a read takes lists, weak ETags and `*` (section 13.1.2)."""
    assert all(is_known(4, one) for one in ("*", '"4"', 'W/"4"', '"3", W/"4"'))
    assert not any(is_known(4, one) for one in ('"3"', '"44"', "4"))
