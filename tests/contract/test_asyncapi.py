"""The AsyncAPI document: committed, whole, and true to topics, messages and examples."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import asyncapi
from schemas.asyncapi.components import HEADERS
from schemas.envelope import Envelope
from schemas.examples import examples
from schemas.topics import CATALOGUE, INPUTS, Kind

COMMITTED = Path(__file__).parents[2] / "docs" / "reference" / "asyncapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as it is committed."""
    found: dict[str, Any] = json.loads(COMMITTED.read_text())
    return found


def _resolved(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def test_the_committed_document_is_the_codes(document: dict[str, Any]) -> None:
    """Code and document do not differ; `make docs` writes it anew."""
    assert document == asyncapi.document(document["info"]["version"])


def test_it_has_what_the_specification_asks_for(document: dict[str, Any]) -> None:
    """Version, title, and for each server its host and protocol."""
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document["info"])
    assert set(document) <= {
        *("asyncapi", "id", "info", "servers", "defaultContentType"),
        *("channels", "operations", "components"),
    }
    for server in document["servers"].values():
        assert server["protocol"] == "kafka"
        assert server["host"]
    names = re.compile(r"^[A-Za-z0-9._-]+$")
    for kind in document["components"].values():
        assert all(names.match(name) for name in kind)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """All references are within the document and resolve."""
    references = set(_references(document))
    assert references
    for reference in references:
        assert _resolved(document, reference) is not None, reference


def test_every_topic_is_a_channel(document: dict[str, Any]) -> None:
    """Topics and dead letters stand there with partitions, retention and key."""
    channels = {one["address"]: one for one in document["channels"].values()}
    expected = [topic.name for topic in CATALOGUE] + [topic.dead_letter for topic in INPUTS]
    assert sorted(channels) == sorted(expected)
    for topic in CATALOGUE:
        kafka = channels[topic.name]["bindings"]["kafka"]
        assert kafka["partitions"] == topic.partitions(8)
        retention = kafka["topicConfiguration"]["retention.ms"]
        assert retention == topic.retention.total_seconds() * 1000
        [message] = channels[topic.name]["messages"].values()
        key = _resolved(document, message["$ref"])["bindings"]["kafka"]["key"]
        assert key["description"] == topic.key


def test_operations_belong_to_their_channels(document: dict[str, Any]) -> None:
    """An operation sends or receives, by messages of its own channel."""
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = operation["channel"]["$ref"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/")


def test_every_request_has_its_reply(document: dict[str, Any]) -> None:
    """Requests are answered on `results`, by the result's message; facts are not answered."""
    operations = document["operations"].values()
    for topic in CATALOGUE:
        of_topic = [
            one
            for one in operations
            if _resolved(document, one["channel"]["$ref"])["address"] == topic.name
        ]
        assert of_topic
        replies = [one["reply"] for one in of_topic if "reply" in one]
        if topic.kind is not Kind.REQUEST:
            assert replies == []
            continue
        [reply] = replies
        assert _resolved(document, reply["channel"]["$ref"])["address"] == "results"
        assert _resolved(document, reply["messages"][0]["$ref"])["$ref"].endswith("/Result")


def test_answers_are_correlated(document: dict[str, Any]) -> None:
    """The correlation id is found in a header that every message has."""
    for name, message in document["components"]["messages"].items():
        if name != "DeadLetter":
            correlation = _resolved(document, message["correlationId"]["$ref"])
            assert correlation["location"] == "$message.header#/correlation-id"


def test_every_header_is_described(document: dict[str, Any]) -> None:
    """The headers are those of the envelope, required where it needs them, and say what for."""
    fields = {field.alias or name: field for name, field in Envelope.model_fields.items()}
    schema = document["components"]["schemas"]["Headers"]
    assert set(HEADERS) == set(fields) == set(schema["properties"])
    assert schema["required"] == [name for name, field in fields.items() if field.is_required()]


def test_schemas_are_schemas(document: dict[str, Any]) -> None:
    """Each schema is valid JSON Schema, with patterns that are not only Python's."""
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert "(?P<" not in COMMITTED.read_text()


@pytest.mark.parametrize("one", examples(), ids=lambda one: f"{one.topic}-{one.name}")
def test_examples_fit_their_schemas(document: dict[str, Any], one: Any) -> None:
    """Every example stands at its message and is valid by the schemas that stand there too."""
    message = next(
        message
        for message in document["components"]["messages"].values()
        if message["name"] == one.headers["schema"]
    )
    assert one.name in {shown["name"] for shown in message["examples"]}
    root = {"components": document["components"]}
    for part, value in (("payload", one.value), ("headers", one.headers)):
        Draft202012Validator({**root, **message[part]}).validate(value)
