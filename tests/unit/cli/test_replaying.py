"""What a replay's options mean."""

from datetime import UTC, datetime, timedelta

import pytest

from cli import replaying
from cli.errors import Failure
from schemas.states import Status


def test_times_are_read_in_utc_or_as_so_long_ago() -> None:
    """A day, a time with and without a zone, and a while ago."""
    assert replaying.moment("2026-11-01") == datetime(2026, 11, 1, tzinfo=UTC)
    assert replaying.moment("2026-11-01T12:00+02:00") == datetime(2026, 11, 1, 10, tzinfo=UTC)
    ago = datetime.now(UTC) - replaying.moment("90m")
    assert timedelta(minutes=89) < ago < timedelta(minutes=91)


@pytest.mark.parametrize("text", ["yesterday", "3w", "", "2026-13-01"])
def test_other_times_are_refused_with_an_example(text: str) -> None:
    """The sentence shows how to write one."""
    with pytest.raises(Failure, match="2026-11-01"):
        replaying.moment(text)


def test_a_replay_needs_a_time_or_documents() -> None:
    """Everything at once is never meant by leaving an option out."""
    nothing = {"since": None, "until": None, "type_": None, "status": None}
    with pytest.raises(Failure, match="--since"):
        replaying.choice(**nothing, documents=())
    chosen = replaying.choice(**nothing, documents=("doc_1",))
    assert chosen.document_ids == ("doc_1",)
    assert chosen.statuses == (Status.COMPLETED, Status.FAILED)
    failed = replaying.choice(**(nothing | {"status": "failed"}), documents=("doc_1",))
    assert failed.statuses == (Status.FAILED,)


def test_ids_are_given_or_made() -> None:
    """A made one is new each time; a given one has only safe characters."""
    assert replaying.named("mine-1") == "mine-1"
    assert replaying.named(None) != replaying.named(None)
    with pytest.raises(Failure, match="--id"):
        replaying.named("a b")
