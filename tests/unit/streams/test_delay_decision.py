"""What a record on a retry topic asks for, and what holds when it does not say so."""

import pytest

from schemas.topics import DELAYS, READERS, again
from streams.delay.decision import MARGIN_MS, RawHeaders, Return, Waiting, decide

DELAY = DELAYS[0]
WRITTEN = 1_800_000_000_000
NOW = WRITTEN + 250
USUAL = WRITTEN + DELAY.seconds * 1000
BACK = ("return-to", b"extract-again")


def decided(*headers: tuple[str, bytes | None], written_ms: int | None = WRITTEN) -> Return:
    """What becomes of a record with these headers."""
    return decide(DELAY, Waiting(7, b"key", b"value", headers, written_ms), NOW)


def test_a_record_says_when_and_where() -> None:
    """It is due when it says, goes where it says, and keeps only the headers that are others'."""
    found = decided(("gpt-id", b"demo"), ("not-before", b"1800000003210"), BACK, ("attempt", b"2"))

    assert found == Return(
        "extract-again", 1_800_000_003_210, (("gpt-id", b"demo"), ("attempt", b"2"))
    )


@pytest.mark.parametrize("stage", READERS)
def test_every_stage_gets_its_records_back(stage: str) -> None:
    """The topics that records may go to are those of the stages."""
    headers = (("not-before", str(USUAL).encode()), ("return-to", again(stage).encode()))
    assert decided(*headers) == Return(again(stage), USUAL, ())


def test_the_last_of_equal_headers_counts() -> None:
    """A record that waited before may have kept a header, and its newest one is the last."""
    early, late = (("not-before", str(at).encode()) for at in (USUAL, USUAL + 1))
    assert decided(early, BACK, late).due_ms == USUAL + 1


@pytest.mark.parametrize(
    "text",
    [None, b"", b"soon", b"-1", b"1.5", b" 1", b"\xff", b"\xd9\xa1", b"9" * 16, b"9" * 5000],
)
def test_an_unreadable_time_is_the_topics(text: bytes | None) -> None:
    """The record is held as long as its topic holds any, and it is told that it is malformed."""
    found = decided(("not-before", text), BACK)

    assert (found.topic, found.due_ms) == ("extract-again", USUAL)
    assert found.problem is not None


def test_no_headers_at_all() -> None:
    """A record that says nothing goes to the retry topic's dead letters, at once."""
    found = decided()

    assert (found.topic, found.due_ms) == (DELAY.dead_letter, NOW)


@pytest.mark.parametrize(("more_ms", "due_ms"), [(0, USUAL + MARGIN_MS), (1, USUAL)])
def test_a_time_too_far_away_is_the_topics(more_ms: int, due_ms: int) -> None:
    """No record may hold up its partition for longer than the delay and a margin for clocks."""
    asked = str(USUAL + MARGIN_MS + more_ms).encode()
    assert decided(("not-before", asked), BACK).due_ms == due_ms


@pytest.mark.parametrize("written_ms", [None, NOW + 1, NOW + 10**9])
def test_a_record_without_a_sensible_time_counts_from_now(written_ms: int | None) -> None:
    """One that was written in the future, by another clock, is held from when it was read."""
    assert decided(BACK, written_ms=written_ms).due_ms == NOW + DELAY.seconds * 1000


@pytest.mark.parametrize(
    "target",
    [None, b"", b"extract", b"process-document", b"mine-extract-again", b"\xff\xfe", b"x" * 9000],
)
def test_an_unknown_target_is_a_dead_letter(target: bytes | None) -> None:
    """Only stages get records back; others are kept as they are, with what is wrong with them."""
    given: RawHeaders = (("not-before", b"1"), ("return-to", target), ("gpt-id", b"demo"))
    found = decided(*given)

    assert found.topic == DELAY.dead_letter
    assert found.headers[:-2] == given
    assert found.headers[-2] == ("error", b"unknown_return")
    name, reason = found.headers[-1]
    assert name == "reason"
    assert 0 < len(reason or b"") < 500
