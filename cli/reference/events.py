"""The page of events: each kind with its meaning and an example."""

import json
from typing import Any

from cli.reference.markdown import NOTE, code, table
from cli.reference.topics import first_line
from schemas.events import MEANINGS, EventType
from schemas.examples import examples
from schemas.messages import CloudEvent
from schemas.topics import EVENTS

_HEAD = f"""\
# Events

{NOTE}
What happens to documents, batches, collections, objects, webhooks, keys and the GPT itself is told
as CloudEvents 1.0. An event has the same JSON wherever it is read: by
[`GET /v1/events`, as server-sent events, or over a WebSocket](../how-to/follow-events.md), by a
webhook, and on the topic `{EVENTS.name}`. The events of a GPT are numbered without a gap, in the
order in which they were committed. Readers ignore fields and kinds that they do not know; new ones
may come at any time.

"""


def markdown() -> str:
    """Returns: the page."""
    shown = {one.value["type"]: one.value for one in examples() if one.topic == EVENTS.name}
    parts = [
        _HEAD,
        table(("Kind", "What has happened"), ((_link(one), MEANINGS[one]) for one in EventType)),
        f"\n## Fields\n\n{first_line(CloudEvent)}\n\n",
        table(("Field", "What it is"), _fields()),
        *(_section(one, shown[one]) for one in EventType),
    ]
    return "".join(parts)


def _link(kind: EventType) -> str:
    return f"[{code(kind)}](#{kind.replace('.', '')})"


def _fields() -> list[tuple[str, str]]:
    known = {
        "id": "Unique; the same however often an event is delivered.",
        "type": "Its kind.",
        "time": "When it was committed.",
        "gptid": "Whose it is.",
        "sequence": "Its number; the next one is one more.",
        "correlationid": "The client's own id of the request that it comes of, or that request's.",
        "requestid": "The request that it comes of.",
        "data": "What is told of it, by kind, as below.",
    }
    return [
        (code(name), field.description or known.get(name) or f"Always {code(field.default)}.")
        for name, field in CloudEvent.model_fields.items()
    ]


def _section(kind: EventType, event: dict[str, Any]) -> str:
    text = json.dumps(event, indent=2, ensure_ascii=False)
    return f"\n## {kind}\n\n{MEANINGS[kind]}\n\n```json\n{text}\n```\n"
