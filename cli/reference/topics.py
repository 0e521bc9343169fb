"""The page of topics: each with its message, key, size and retention, and who may do what."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from cli.reference.markdown import NOTE, code, table
from schemas.asyncapi.components import HEADERS
from schemas.envelope import Envelope
from schemas.settings import KafkaSettings
from schemas.topics import CATALOGUE, INPUTS, REQUESTS, RESULTS, Kind, Topic

_HEAD = f"""\
# Topics

{NOTE}
Requests are in the imperative, facts in the past tense, and every answer is a record on
`{RESULTS.name}`. Values are JSON; within a version fields are only added, and readers ignore those
that they do not know. The whole of it is in [asyncapi.json](asyncapi.json), with examples.
`actionstream topics apply` makes the cluster agree, `actionstream topics show` tells where it does
not. `ACTIONSTREAM_TOPIC_PREFIX` goes before each name.

"""
_DEAD = """
Each topic but `results` has a dead-letter twin, `<topic>-dlq`, with one partition, kept 90 days.
It holds records as they were, with their headers and these besides: `origin-topic`,
`origin-partition`, `origin-offset`, `stage`, `attempts`, `error`, `reason`.
"""
_OUTSIDE = """\
## Other programs

A program that may write a request topic is trusted to name its tenant. It sets `request-id` to a
UUID of its own, which counts within that tenant and comes back as `correlation-id`, `gpt-id` and
`schema`; it may set `reply-to` to one of `ACTIONSTREAM_REPLY_TOPICS`. The key may be left out;
records of one key must be partitioned by murmur2, as Java's clients and librdkafka's
`murmur2_random` do. [examples/producer.py](../../examples/producer.py) does all of it. A tenant
that is unknown or disabled, and an S3 key outside the tenant's prefix, are refused.

"""


def markdown() -> str:
    """Returns: the page."""
    parts = [
        _HEAD,
        table(
            ("Topic", "Message", "Key", "Partitions", "Kept", "What a record says"),
            map(_topic, CATALOGUE),
        ),
        _DEAD,
        "\n## Headers\n\n",
        table(("Header", "Required", "What it says"), _headers()),
        "\n",
        _OUTSIDE,
        "## Who may do what\n\nAccess rules for a cluster that has them.\n\n",
        table(("Who", "Topics", "Operations"), _rules()),
        *(f"\n## {name}\n\n{text}" for name, text in _messages()),
    ]
    return "".join(parts)


def _topic(topic: Topic[Any]) -> tuple[str, ...]:
    scale = KafkaSettings.model_fields["partitions"].default
    return (
        code(topic.name),
        code(topic.schema_name),
        topic.key,
        str(topic.partitions(scale)),
        f"{topic.retention.days} d",
        first_line(topic.message),
    )


def _headers() -> Iterable[tuple[str, str, str]]:
    for name, field in Envelope.model_fields.items():
        header = field.alias or name
        yield code(header), "yes" if field.is_required() else "", HEADERS[header]


def _rules() -> Iterable[tuple[str, str, str]]:
    requests = ", ".join(code(topic.name) for topic in REQUESTS)
    facts = ", ".join(code(topic.name) for topic in INPUTS if topic.kind is Kind.FACT)
    yield "gateway", requests, "Write, Describe"
    yield "gateway", code(RESULTS.name), "Read, Describe (no consumer group)"
    yield "workers", f"{requests}, {facts}", "Read, Write, Describe"
    yield (
        "workers",
        f"{code(RESULTS.name)}, the reply topics and all `-dlq` topics",
        "Write, Describe",
    )
    yield "workers", "consumer groups `actionstream-*`", "Read, Describe"
    yield "other programs", code("process-document"), "Write, Describe"
    yield "other programs", f"{code(RESULTS.name)} or their own reply topic", "Read, Describe"
    yield "`topics apply`", "all", "Create, Alter, AlterConfigs, Describe, DescribeConfigs"


def _messages() -> Iterable[tuple[str, str]]:
    for topic in CATALOGUE:
        rows = (
            (
                code(name),
                "yes" if field.is_required() else "",
                field.description or "",
            )
            for name, field in topic.message.model_fields.items()
        )
        text = f"{first_line(topic.message)}\n\n{table(('Field', 'Required', ''), rows)}"
        yield f"{topic.schema_name} on {topic.name}", text


def first_line(model: type[BaseModel]) -> str:
    """Returns: the first line of a model's docstring."""
    return (model.__doc__ or "").strip().splitlines()[0]
