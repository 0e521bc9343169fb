"""Examples of every record and version: they fit, and readers ignore what they do not know."""

import re
from typing import Any

import pytest

from schemas import document_types
from schemas.envelope import Envelope
from schemas.examples import Example, examples
from schemas.messages import INLINE_LIMIT_BYTES, ProcessDocument
from schemas.topics import CATALOGUE, MAX_MESSAGE_BYTES, Topic

TOPICS = {topic.name: topic for topic in CATALOGUE}
ALL = examples()
ID = re.compile(r"^[a-z]{2,8}_[0-9a-f]{32}_[a-z2-7]{16}$")

each = pytest.mark.parametrize("one", ALL, ids=lambda one: f"{one.topic}-v{one.version}-{one.name}")


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_every_version_has_an_example(topic: Topic[Any]) -> None:
    """Each version that was ever published stays readable, which an example holds."""
    versions = {one.version for one in ALL if one.topic == topic.name}
    assert versions == set(range(1, topic.version + 1))


def test_no_example_is_an_orphan() -> None:
    """Every example belongs to a topic of the catalogue."""
    assert {one.topic for one in ALL} == set(TOPICS)


@each
def test_the_value_fits_its_model(one: Example) -> None:
    """What was written once can be read, and written and read again without a change."""
    model = TOPICS[one.topic].message
    message = model.model_validate(one.value)
    again = model.model_validate_json(message.model_dump_json())
    assert again == message
    assert set(one.value) <= set(model.model_fields)


@each
def test_unknown_fields_are_ignored(one: Example) -> None:
    """A newer sender may add fields; an older reader does not mind."""
    model = TOPICS[one.topic].message
    newer = {**one.value, "added_in_a_later_version": {"deep": [1]}}
    assert model.model_validate(newer) == model.model_validate(one.value)


@each
def test_the_headers_are_an_envelope(one: Example) -> None:
    """Headers survive the way over the wire, unknown ones are ignored, and name the version."""
    wire = {name: value.encode() for name, value in one.headers.items()}
    envelope = Envelope.from_headers({**wire, "added-later": b"x"})
    assert dict(envelope.to_headers()) == {"part": b"0", "attempt": b"0"} | wire
    topic = TOPICS[one.topic]
    assert one.headers["schema"] == topic.schema_name.rpartition(".v")[0] + f".v{one.version}"


@each
def test_the_key_is_the_id_whose_order_matters(one: Example) -> None:
    """The key is the field, or the fields, that the catalogue names; senders outside have none."""
    if one.key is None:
        assert one.topic == "process-document"
        return
    known = {"gpt_id": one.headers["gpt-id"], **one.headers, **one.value}
    known["request_id"] = one.headers["request-id"]
    parts = TOPICS[one.topic].key.split("/")
    assert one.key == "/".join(str(known[part]) for part in parts)


@each
def test_ids_have_the_form_of_ids(one: Example) -> None:
    """Ids of the product's own look as it makes them."""
    named = {name: one.value.get(name) for name in ("document_id", "run_id", "request_id")}
    assert all(ID.match(value) for value in named.values() if value is not None)


def test_the_document_type_of_the_example_can_be_used() -> None:
    """The definition in the example is one that the product takes."""
    [one] = [one for one in ALL if one.topic == "put-document-type"]
    assert document_types.parse(one.value["definition"]).name == one.value["name"]


def test_all_sources_are_shown() -> None:
    """There is an example of each way to hand a document over."""
    kinds = {one.value["source"]["kind"] for one in ALL if one.topic == "process-document"}
    assert kinds == {"s3", "link", "inline"}


def test_inline_content_fits_a_record() -> None:
    """The largest inline document leaves room for everything else in a record."""
    source = {"kind": "inline", "content_base64": "A" * INLINE_LIMIT_BYTES}
    message = ProcessDocument.model_validate({"source": source})
    assert len(message.model_dump_json()) < MAX_MESSAGE_BYTES / 2
