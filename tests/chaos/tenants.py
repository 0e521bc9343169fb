"""Tenants that come, are written to, and go while everything else goes on."""

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Protocol

from tests.chaos.journal import Journal
from tests.chaos.orders import request_uuid

_OBJECTS = 4
_LONGEST_CALM_S = 3.0
Publish = Callable[[str, bytes, str, dict[str, str]], Coroutine[Any, Any, Any]]


class Call(Protocol):
    """A call that is repeated until it is answered, with its body's JSON."""

    async def __call__(self, method: str, path: str, body: object, *, key: str) -> int:
        """Returns: the status of the final answer."""


def name(seed: int, number: int) -> str:
    """Returns: the id of the tenant of an order."""
    return f"chaos-{seed}-{number}"


async def come_and_go(
    seed: int, number: int, journal: Journal, call: Call, publish: Publish
) -> None:
    """Make a tenant, give it things to store, and delete it, perhaps before they are stored."""
    gpt_id = name(seed, number)
    keys = [request_uuid(seed, number) + suffix for suffix in ("-made", "-deleted")]
    body = {"gpt_id": gpt_id, "name": "chaos"}
    status = await call("POST", "/v1/admin/gpts", body, key=keys[0])
    journal.note("tenant made", gpt_id=gpt_id, status=status)
    for place, (topic, value, record_key) in enumerate(_records(gpt_id)):
        headers = {
            "request-id": f"{keys[0]}-{place}",
            "gpt-id": gpt_id,
            "schema": f"{topic}.v1",
        }
        await publish(topic, json.dumps(value).encode(), record_key, headers)
    await asyncio.sleep(Random(f"calm {seed} {number}").uniform(0, _LONGEST_CALM_S))
    status = await call("DELETE", f"/v1/admin/gpts/{gpt_id}", None, key=keys[1])
    journal.note("tenant deleted", gpt_id=gpt_id, status=status)
    journal.gone.append(gpt_id)


def _records(gpt_id: str) -> list[tuple[str, dict[str, Any], str]]:
    diary = f"{gpt_id}/diary"
    made: list[dict[str, Any]] = [
        {"op": "define"},
        *({"op": "put", "key": f"k{n}", "body": {"secret": gpt_id}} for n in range(_OBJECTS)),
        {"op": "delete", "key": "k0"},
    ]
    content = base64.b64encode(f"A note of {gpt_id}.".encode()).decode()
    document = {
        "source": {"kind": "inline", "content_base64": content},
        "filename": "note.txt",
    }
    return [
        *(("write-collection", {"collection": "diary", "operation": each}, diary) for each in made),
        ("process-document", document, gpt_id),
    ]
