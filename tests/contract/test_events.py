"""Kinds of events: each has a meaning, an example that is whole, and its place on the page."""

from pathlib import Path

import pytest

from gateway.events import event, wanted
from schemas.api.events import EventItem
from schemas.events import MEANINGS, EventType
from schemas.examples import examples
from schemas.messages import CloudEvent

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "events.md"
EXAMPLES = {one.value["type"]: one.value for one in examples() if one.topic == "events"}


@pytest.mark.parametrize("kind", EventType)
def test_every_kind_is_documented(kind: EventType) -> None:
    """With a sentence and an example, on the page that others are pointed to."""
    assert MEANINGS[kind].endswith(".")
    assert f"\n## {kind}\n" in PAGE.read_text(encoding="utf-8")
    assert EXAMPLES[kind]["subject"] is not None


def test_no_example_is_of_a_kind_that_is_gone() -> None:
    """And none of a kind that was never there."""
    assert set(EXAMPLES) == set(EventType)


@pytest.mark.parametrize("kind", EventType)
def test_clients_get_what_the_topic_carries(kind: EventType) -> None:
    """A row read by the gateway is the same CloudEvent as the worker's record, field by field."""
    told = CloudEvent.model_validate(EXAMPLES[kind])
    row = (
        told.sequence,
        told.id,
        told.type,
        None,
        told.subject,
        told.requestid,
        told.correlationid,
        told.batchid,
        told.data,
        told.time,
    )
    made = event.of(told.gptid, row)
    assert made.json == told.model_dump_json()
    assert EventItem.model_validate_json(made.json).type == kind


@pytest.mark.parametrize("kind", EventType)
def test_every_kind_can_be_wanted(kind: EventType) -> None:
    """By its name, and by the beginning of it."""
    family = kind.partition(".")[0]
    for named in (kind, f"{family}.*", "*"):
        assert wanted.of(None, [named]).takes(kind, None, None, None)
