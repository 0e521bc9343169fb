"""The AsyncAPI 3.0 document: every topic, its messages, and who sends and receives them.

Built from the catalogue, the message models and the examples; opens nothing.
Source: AsyncAPI specification 3.0.0, with the Kafka bindings 0.5.0.
"""

from collections.abc import Iterator
from typing import Any, Final

from schemas.asyncapi.components import components
from schemas.asyncapi.names import BINDING_VERSION, camel, message, pascal, summary, words
from schemas.topics import CATALOGUE, INPUTS, MAX_MESSAGE_BYTES, RESULTS, Kind, Topic

_MS_PER_DAY: Final = 24 * 3600 * 1000
_DEAD_LETTER_DAYS: Final = 90
_ABOUT: Final = """\
Other programs may publish request records and read results, exactly as the gateway does. They set
`request-id` to a UUID of their own, which comes back as `correlation-id`, and `gpt-id` to their
tenant. The answer goes to `results`, or to the allow-listed topic that `reply-to` names. Within a
version fields are only added; readers ignore those that they do not know."""


def document(
    version: str, *, bootstrap: str = "localhost:19092", partitions: int = 8, replicas: int = 1
) -> dict[str, Any]:
    """Returns: the document as JSON data.

    Args:
        version: of the application.
        bootstrap: the brokers' address that it names.
        partitions: scale of the partition counts.
        replicas: of each partition.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "actionstream",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": bootstrap,
                "protocol": "kafka",
                "description": "Kafka; TLS and SASL by settings, see docs/reference/settings.md.",
                "security": [{"$ref": "#/components/securitySchemes/scram"}],
            }
        },
        "channels": dict(_channels(partitions, replicas)),
        "operations": dict(_operations()),
        "components": components(),
    }


def _channels(partitions: int, replicas: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for topic in CATALOGUE:
        name = camel(topic.name)
        yield (
            name,
            {
                "address": topic.name,
                "summary": summary(topic.message),
                "description": f"Keyed by {topic.key}; kept {topic.retention.days} days.",
                "servers": [{"$ref": "#/servers/kafka"}],
                "messages": {message(topic): {"$ref": f"#/components/messages/{message(topic)}"}},
                "bindings": _channel_binding(
                    topic.partitions(partitions), replicas, topic.retention.days
                ),
            },
        )
    for topic in INPUTS:
        yield (
            f"{camel(topic.name)}Dlq",
            {
                "address": topic.dead_letter,
                "summary": f"Records of {topic.name} that could not be worked off.",
                "description": "The raw value, and in the headers where it was and why it failed.",
                "servers": [{"$ref": "#/servers/kafka"}],
                "messages": {"DeadLetter": {"$ref": "#/components/messages/DeadLetter"}},
                "bindings": _channel_binding(1, replicas, _DEAD_LETTER_DAYS),
            },
        )


def _channel_binding(partitions: int, replicas: int, days: int) -> dict[str, Any]:
    return {
        "kafka": {
            "partitions": partitions,
            "replicas": replicas,
            "topicConfiguration": {
                "cleanup.policy": ["delete"],
                "retention.ms": days * _MS_PER_DAY,
                "max.message.bytes": 2 * MAX_MESSAGE_BYTES,
            },
            "bindingVersion": BINDING_VERSION,
        }
    }


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for topic in CATALOGUE:
        if topic.kind is Kind.REQUEST:
            reply = {"channel": _channel_ref(RESULTS), "messages": [_message_ref(RESULTS)]}
            summary = "Workers take the request; its answer is a record on results."
            yield _operation("receive", topic, summary, reply=reply)
        elif topic.kind is Kind.FACT:
            yield _operation("send", topic, "A worker says it once the step is committed.")
            yield _operation("receive", topic, "A worker takes the next step.")
        elif topic.kind is Kind.EVENT:
            yield _operation("send", topic, "A worker says what happened, once it is committed.")
        else:
            summary = "A worker answers once the request's row is final; gateways read it."
            yield _operation("send", topic, summary)
    for topic in INPUTS:
        channel = f"{camel(topic.name)}Dlq"
        yield (
            f"send{pascal(topic.name)}Dlq",
            {
                "action": "send",
                "channel": {"$ref": f"#/channels/{channel}"},
                "summary": "A worker puts aside what failed for good.",
                "messages": [{"$ref": f"#/channels/{channel}/messages/DeadLetter"}],
            },
        )


def _operation(
    action: str, topic: Topic[Any], summary: str, *, reply: dict[str, Any] | None = None
) -> tuple[str, dict[str, Any]]:
    operation: dict[str, Any] = {
        "action": action,
        "channel": _channel_ref(topic),
        "title": words(topic.name),
        "summary": summary,
        "messages": [_message_ref(topic)],
    }
    if reply is not None:
        operation["reply"] = reply
    return f"{action}{pascal(topic.name)}", operation


def _channel_ref(topic: Topic[Any]) -> dict[str, str]:
    return {"$ref": f"#/channels/{camel(topic.name)}"}


def _message_ref(topic: Topic[Any]) -> dict[str, str]:
    return {"$ref": f"#/channels/{camel(topic.name)}/messages/{message(topic)}"}
