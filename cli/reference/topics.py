"""The page of topics: each with its message, key, size and retention, and who may do what."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from cli.reference.markdown import NOTE, code, table
from schemas.asyncapi.components import HEADERS
from schemas.envelope import Envelope
from schemas.retention import INPUT_RETENTION
from schemas.settings import KafkaSettings
from schemas.topics import (
    BULK,
    CATALOGUE,
    DELAYS,
    EVENTS,
    INPUTS,
    REQUESTS,
    RESULTS,
    Kind,
    Topic,
    bulk,
)

_HEAD = f"""\
# Topics

{NOTE}
Requests are in the imperative, facts in the past tense, every answer is a record on
`{RESULTS.name}`, and what happened is told on `{EVENTS.name}`. Values are JSON; within a version
fields are only added, and readers ignore those that they do not know. The whole of it is in
[asyncapi.json](asyncapi.json), with examples. `actionstream topics apply` makes the cluster agree,
`actionstream topics show` tells where it does not. `ACTIONSTREAM_TOPIC_PREFIX` goes before each
name.

"""
_RETRY_HEADERS = (
    (code("not-before"), "Unix milliseconds when it is due; if absent, after the topic's delay."),
    (code("return-to"), "The `-again` topic of the stage, without prefix."),
    (code("attempt"), "How often the record was sent to its stage again."),
    ("`origin-topic`, `origin-partition`, `origin-offset`", "Where the stage read it."),
)
_DEAD = f"""
Each request and each fact has a dead-letter twin, `<topic>-dlq`, with one partition, kept 90 days.
It holds records as they were, with their headers and these besides: `origin-topic`,
`origin-partition`, `origin-offset`, `stage`, `attempts`, `error`, `reason`.

## Retries

A record whose own trouble may pass waits on {", ".join(code(delay.name) for delay in DELAYS)},
one after the other, each with a fixed delay. `actionstream delay` holds it there and returns it,
never early, on the `<stage>-again` topic of its stage, which no other stage reads. Key and value
stay as they were. These headers are added, and the first two are gone when it returns:

{table(("Header", "What it says"), _RETRY_HEADERS)}
A record whose `return-to` names no stage goes to the retry topic's twin, `<topic>-dlq`, with
`error` and `reason`. Both kinds of topic are the workers' own and kept {INPUT_RETENTION.days} days.
"""
_BULK = f"""
## Batches

What belongs to a batch goes by topics of its own, so that no other document waits behind it:
{", ".join(code(bulk(topic.name)) for topic in INPUTS if topic in BULK)}.
Each has the records, partitions and retention of the topic it is named after, is read by the same
stage, and is the workers' own; what fails goes to the same retry topics and dead letters.

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
        _BULK,
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
    retries = ", ".join(code(delay.name) for delay in DELAYS)
    answers = f"{code(RESULTS.name)}, {code(EVENTS.name)}, the reply topics"
    yield "gateway", code(RESULTS.name), "Read, Describe (no consumer group)"
    yield "gateway", "consumer groups `actionstream-*`", "Describe"
    own = "all `-again` and `-bulk` topics"
    yield "workers", f"{requests}, {facts}, {own}", "Read, Write, Describe"
    yield "workers", f"{answers}, {retries}, all `-dlq` topics", "Write, Describe"
    yield "workers", "consumer groups `actionstream-*`", "Read, Describe"
    yield "delay consumer", retries, "Read, Describe"
    yield "delay consumer", "all `-again` topics and `retry-*-dlq`", "Write, Describe"
    yield "delay consumer", "consumer group `actionstream-delay`", "Read, Describe"
    yield "other programs", code("process-document"), "Write, Describe"
    own = f"{code(RESULTS.name)} or their own reply topic, {code(EVENTS.name)}"
    yield "other programs", own, "Read, Describe"
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
