"""Claims: which calls are repeats of each other."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.deps import Call
from gateway.principal import Principal
from gateway.state import State
from gateway.submission import claim
from schemas.ids import Ids

STATE = cast("State", SimpleNamespace(ids=Ids("a secret of sixteen")))


def call(subject: str | None, **values: Any) -> Call:
    """Returns: a call with the idempotency key `k` of one end user, or of a key for all."""
    principal = Principal("diary", subject, "0123456789abcdef", frozenset({"write"}), None)
    given = {"method": "POST", "route": "/v1/pings", "idempotency_key": "k", **values}
    return Call(principal, wait_s=None, correlation_id=None, traceparent=None, **given)


def request_id(subject: str | None, number: int = 0, **values: Any) -> str:
    """Returns: the id of that call's request."""
    return claim(STATE, call(subject, **values), number).request_id


@pytest.mark.parametrize("subject", [None, "ada", "1"])
def test_a_repeat_has_the_id_of_the_first_call(subject: str | None) -> None:
    """So that it gets its answer; without a key every call is one of its own."""
    assert request_id(subject) == request_id(subject)
    assert request_id(subject, idempotency_key=None) != request_id(subject, idempotency_key=None)


def test_what_is_no_repeat_has_an_id_of_its_own() -> None:
    """Another end user may choose the same idempotency key, and loses nothing by it."""
    ids = [
        *(request_id(subject) for subject in (None, "ada", "1", "subject")),
        *(request_id(subject, 1) for subject in (None, "ada", "1")),
        request_id("ada", route="/v1/other"),
        request_id("ada", method="PUT"),
    ]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("subject", [None, "ada"])
def test_a_requests_own_id_is_a_key_to_it(
    subject: str | None, number: int, key: str | None
) -> None:
    """As a client is told to repeat with where it is not known whether the record arrived."""
    handed_out = request_id(subject, number, idempotency_key=key)
    assert request_id(subject, idempotency_key=handed_out) == handed_out


@pytest.mark.parametrize("owner", [None, "ada"])
def test_another_ones_request_id_is_no_key_to_it(owner: str | None) -> None:
    """Who knows the id of a request cannot take its place, nor its document's."""
    theirs = claim(STATE, call(owner, idempotency_key=None))
    ours = claim(STATE, call("bob", idempotency_key=theirs.request_id))
    assert ours.request_id != theirs.request_id
    assert ours.document_id != theirs.document_id
