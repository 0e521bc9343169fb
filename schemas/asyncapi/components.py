"""The messages of the AsyncAPI document: headers, payloads, examples."""

import re
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.asyncapi.names import BINDING_VERSION, message, summary, words
from schemas.envelope import Envelope
from schemas.examples import examples
from schemas.topics import CATALOGUE, Topic

# Python's own way to name a group, which other languages' patterns do not know.
_NAMED_GROUP: Final = re.compile(r"\(\?P<\w+>")

HEADERS: Final = {
    "request-id": "The request; an outside producer chooses a UUID, its own within the tenant.",
    "gpt-id": "The tenant.",
    "schema": "Name and version of the value's form, such as document-parsed.v1.",
    "subject": "The end user inside the tenant; absent for a plain key.",
    "correlation-id": "A sender's own id, echoed in everything that follows; else its request id.",
    "reply-to": "Allow-listed topic for the answer; `results` if absent.",
    "fingerprint": "Hash of the request, which guards idempotency keys.",
    "traceparent": "W3C trace context.",
    "batch-id": "The batch that the document belongs to; its records go by the bulk topics.",
    "part": "Which part of long work the record is, from 0.",
    "attempt": "How often the record was sent to its stage again, from 0.",
}
"""What each header says."""


def components() -> dict[str, Any]:
    """Returns: schemas, messages, correlation ids and security schemes."""
    models: list[type[BaseModel]] = [topic.message for topic in CATALOGUE]
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas = {name: _plain(schema) for name, schema in found["$defs"].items()}
    headers = {"Headers": _headers(), "DeadLetterHeaders": _dead_letter_headers()}
    return {
        "schemas": {**schemas, **headers},
        "messages": {message(topic): _message_object(topic) for topic in CATALOGUE}
        | {"DeadLetter": _dead_letter()},
        "correlationIds": {
            "correlation": {
                "description": "A sender's own id, or its request id; every answer has it.",
                "location": "$message.header#/correlation-id",
            }
        },
        "securitySchemes": {
            "scram": {"type": "scramSha512", "description": "SASL, on clusters that ask for it."}
        },
    }


def _message_object(topic: Topic[Any]) -> dict[str, Any]:
    return {
        "name": topic.schema_name,
        "title": words(topic.name),
        "summary": summary(topic.message),
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/Headers"},
                {"type": "object", "properties": {"schema": {"const": topic.schema_name}}},
            ]
        },
        "payload": {"$ref": f"#/components/schemas/{topic.message.__name__}"},
        "correlationId": {"$ref": "#/components/correlationIds/correlation"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": BINDING_VERSION,
            }
        },
        "examples": [
            {"name": one.name, "headers": one.headers, "payload": one.value}
            for one in examples()
            if one.topic == topic.name and one.version == topic.version
        ],
    }


def _headers() -> dict[str, Any]:
    """Returns: the schema of a record's headers, all of which are UTF-8 text on the wire."""
    properties = {}
    required = []
    for name, field in Envelope.model_fields.items():
        header = field.alias or name
        said = [part for part in field.metadata if getattr(part, "pattern", None)]
        schema: dict[str, Any] = {"type": "string", "description": HEADERS[header]}
        if header in ("part", "attempt"):
            schema["pattern"] = "^[0-9]+$"
        elif said:
            schema["pattern"] = _NAMED_GROUP.sub("(?:", said[0].pattern)
        properties[header] = schema
        if field.is_required():
            required.append(header)
    return {"type": "object", "required": required, "properties": properties}


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "dead-letter",
        "title": "Dead letter",
        "summary": "A record that could not be worked off, as it was.",
        "contentType": "application/octet-stream",
        "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
        "payload": {"description": "The record's value as it came, whatever it is."},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": BINDING_VERSION}},
    }


def _dead_letter_headers() -> dict[str, Any]:
    said = {
        "origin-topic": "Topic that it was read from.",
        "origin-partition": "Its partition there.",
        "origin-offset": "Its offset there.",
        "stage": "Stage that gave it up.",
        "attempts": "How many attempts it had.",
        "error": "Stable name of the cause.",
        "reason": "What was wrong, in a sentence.",
    }
    return {
        "type": "object",
        "description": "The record's own headers, and these.",
        "required": list(said),
        "properties": {
            name: {"type": "string", "description": description}
            for name, description in said.items()
        },
    }


def _plain(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON Schema
    """Returns: the schema without OpenAPI's `discriminator`, which AsyncAPI writes differently."""
    if isinstance(schema, dict):
        return {
            name: _plain(part)
            for name, part in schema.items()
            if not (name == "discriminator" and isinstance(part, dict) and "mapping" in part)
        }
    return [_plain(part) for part in schema] if isinstance(schema, list) else schema
