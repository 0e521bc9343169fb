"""What may be sent again and what not, and how much of a request's progress is kept."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from streams.letters import Progress, Skipped
from streams.stages import redrive

LETTER: dict[str, Any] = {
    "stage": "extract",
    "run_id": "run_1",
    "request_id": "req_1",
    "current_run": "run_1",
    "deleted_at": None,
    "record_key": b"key",
    "record_value": b"{}",
    "attempt": 2,
    "headers": [["attempt", "MQ=="], ["gpt-id", "ZGVtbw=="], ["odd", "/w=="]],
}
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def letter(**changes: Any) -> Any:
    """A dead letter's row."""
    return SimpleNamespace(**{**LETTER, **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"stage": "retired"}, "unknown_stage"),
        ({"record_value": None}, "no_value"),
        ({"record_value": None, "deleted_at": NOW}, "deleted"),
        ({"record_value": b""}, None),
        ({"deleted_at": NOW}, "deleted"),
        ({"deleted_at": NOW, "stage": "purge"}, None),
        ({"current_run": "run_2"}, "superseded"),
        ({"current_run": None}, None),
        ({"current_run": "run_2", "stage": "update", "run_id": "req_1"}, None),
        ({"run_id": None, "request_id": "what/ever", "current_run": None}, None),
    ],
)
def test_what_cannot_be_sent_again_has_a_reason(
    changes: dict[str, Any], reason: str | None
) -> None:
    """Its value, its document, its run and its stage must still be there."""
    assert redrive._unfit(letter(**changes)) == reason


def test_a_record_is_the_steps_next_attempt() -> None:
    """Key, value and all other headers are as they came, readable or not."""
    record = redrive._record(letter())
    assert (record.topic, record.key, record.value) == ("extract-again", b"key", b"{}")
    assert record.headers == (("gpt-id", b"demo"), ("odd", b"\xff"), ("attempt", b"3"))


def test_a_step_that_is_gone_begins_anew() -> None:
    """Where the ledger has forgotten it, the record is the first attempt after the dead one."""
    assert redrive._record(letter(attempt=None)).headers[-1] == ("attempt", b"1")


def test_an_answer_names_the_first_of_those_skipped() -> None:
    """However many they are, the ledger's row stays small, and all are counted."""
    progress = Progress(before=NOW)
    for number in range(7):
        skipped = [Skipped(id=f"dl_{number}_{each}", reason="deleted") for each in range(10)]
        progress = progress.with_skipped(skipped)
    assert (progress.skipped_count, len(progress.skipped)) == (70, 50)
    assert Progress.model_validate(progress.model_dump(mode="json")) == progress
