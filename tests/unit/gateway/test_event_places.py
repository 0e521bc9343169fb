"""Where a client is in its events, which it wants, and whether there is a seat for it."""

import pytest

from gateway.cursors import Cursors
from gateway.errors import GatewayError, InvalidInput, Malformed
from gateway.events import closing, places, wanted
from gateway.events.errors import EventsExpired, StreamLimit, TooManyStreams
from gateway.events.places import Bounds, Places
from gateway.events.seats import Seats
from gateway.events.wanted import Wanted
from gateway.metrics import Metrics
from gateway.principal import Principal
from gateway.settings import GatewaySettings

CALLER = Principal("demo", None, "key_1", frozenset({"read"}), None)
CURSORS = Cursors("a secret of sixteen")
PLACES = places.of(CURSORS, CALLER)


def test_places_are_bound_to_tenant_and_end_user() -> None:
    """A cursor of anybody else's is none."""
    bounds = Bounds(last=9, forgotten=3)
    assert PLACES.find(PLACES.seal(5), bounds) == 5
    assert PLACES.find("5", bounds) == 5
    assert PLACES.find("0", bounds) == 3
    for other in (Places(CURSORS, "other", ""), Places(CURSORS, "demo", "ann")):
        with pytest.raises(Malformed):
            PLACES.find(other.seal(5), bounds)
    for text in ("10", PLACES.seal(10), "", "\u0665", "-1", "1e3", PLACES.seal(5) + "A"):
        with pytest.raises(Malformed):
            PLACES.find(text, bounds)
    for text in ("2", PLACES.seal(0)):
        with pytest.raises(EventsExpired) as expired:
            PLACES.find(text, bounds)
        assert expired.value.problem().first == 4


@pytest.mark.parametrize("types", [["document"], ["documents.*"], ["document.parsed", "x.y"]])
def test_types_that_no_event_has_are_refused(types: list[str]) -> None:
    """Whoever mistypes one does not wait for it for ever."""
    with pytest.raises(InvalidInput):
        wanted.of(None, types)


def test_too_many_types_are_refused() -> None:
    """What is compared with every event is bounded."""
    with pytest.raises(InvalidInput):
        wanted.of(None, ["document.parsed"] * 21)


def test_what_is_wanted() -> None:
    """Every condition holds at once; none at all takes everything."""
    assert wanted.of(None, ["*", "document.parsed"]) == Wanted()
    chosen = wanted.of("ann", ["document.*", "batch.completed"], "doc_1", "batch_1")
    assert chosen.takes("document.parsed", "ann", "doc_1", "batch_1")
    for wrong in (
        ("object.created", "ann", "doc_1", "batch_1"),
        ("document.parsed", None, "doc_1", "batch_1"),
        ("document.parsed", "ann", "doc_2", "batch_1"),
        ("document.parsed", "ann", "doc_1", None),
    ):
        assert not chosen.takes(*wrong)


def test_seats_are_counted(nowhere: GatewaySettings) -> None:
    """Of a key, of the gateway, and of those who have not said who they are."""
    few = nowhere.model_copy(update={"max_streams": 2, "max_key_streams": 1})
    seats = Seats(few, Metrics())
    seats.take("sse", "one")
    with pytest.raises(StreamLimit):
        seats.take("ws", "one")
    seats.take("ws", "two")
    with pytest.raises(TooManyStreams):
        seats.take("sse", "three")
    with pytest.raises(TooManyStreams):
        seats.enter()
    seats.give("sse", "one")
    seats.enter()
    seats.leave()
    seats.take("sse", "three")


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [
        (Malformed("x"), 4400, 0),
        (InvalidInput("x"), 4400, 0),
        (EventsExpired(1), 4410, 0),
        (TooManyStreams("x"), 4503, 1),
        (StreamLimit("x"), 4429, 1),
        (GatewayError("x"), 1011, 0),
    ],
)
def test_errors_end_with_their_codes(error: GatewayError, code: int, again: int) -> None:
    """As they are documented, and with whether it helps to come again."""
    end = closing.of(error)
    assert (end.code, end.again) == (code, bool(again))
    assert end.told()["problem"]["code"] == error.code
