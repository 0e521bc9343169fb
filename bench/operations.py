"""The operations that are measured, as each peer is asked for them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from bench import kinto
from bench.bare import PAGE
from bench.load import MARK
from bench.stored import example

BATCH: Final = 100

READS: Final = ("get", "list", "page")
WRITES: Final = ("post", "patch", "batch")
TITLES: Final = {
    "get": "GET one",
    "list": f"list {PAGE}, first page",
    "page": f"list {PAGE}, by a cursor",
    "post": "POST one",
    "patch": "PATCH one",
    "batch": f"batch of {BATCH}",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One operation: requests of which each client sends the next one, and the status of success.

    `again` is the status by which the peer asks that the same be sent once more.
    """

    requests: Sequence[str]
    status: int = 200
    again: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What of the stored objects requests can name."""

    object_ids: Sequence[str]
    cursors: Sequence[str] = field(default=())


def http(
    method: str, path: str, headers: Mapping[str, str], body: object = None, kind: str = "json"
) -> str:
    """Returns: one HTTP/1.1 request as its text; MARK in it counts as one byte a character."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    text = "" if body is None else json.dumps(body)
    if body is not None:
        lines += [f"Content-Type: application/{kind}", f"Content-Length: {len(text)}"]
    return "\r\n".join(lines) + "\r\n\r\n" + text


def _change() -> dict[str, Any]:
    return {"title": f"Entry {MARK}", "mood": 4}


def of_product(key: str, gpt_id: str, collection: str, known: Known) -> dict[str, Sent]:
    """Returns: each operation as the product is asked, with a key that has both scopes."""
    headers = {"Authorization": f"Bearer {key}"}
    place = f"/v1/gpts/{gpt_id}/collections/{collection}"
    one = {"op": "create", "body": example()}
    return {
        "get": Sent([http("GET", f"/v1/objects/{each}", headers) for each in known.object_ids]),
        "list": Sent([http("GET", f"{place}/objects?limit={PAGE}", headers)]),
        "page": Sent(
            [
                http("GET", f"{place}/objects?limit={PAGE}&cursor={quote(each)}", headers)
                for each in known.cursors
            ]
        ),
        "post": Sent([http("POST", f"{place}/objects", headers, {"body": example()})], 201),
        "patch": Sent(
            [
                http("PATCH", f"/v1/objects/{each}", headers, _change(), "merge-patch+json")
                for each in known.object_ids
            ]
        ),
        "batch": Sent([http("POST", f"{place}/batch", headers, {"operations": [one] * BATCH})]),
    }


def of_bare(known: Known, pages: int) -> dict[str, Sent]:
    """Returns: each read as the bare routes are asked, which have the parameters of so many pages.

    The first of them is the list's first page.
    """
    return {
        "get": Sent([http("GET", f"/objects/{each}", {}) for each in known.object_ids]),
        "list": Sent([http("GET", "/objects", {})]),
        "page": Sent([http("GET", f"/objects?page={each}", {}) for each in range(1, pages)]),
    }


def of_kinto(server: kinto.Kinto, known: Known) -> dict[str, Sent]:
    """Returns: each operation as Kinto is asked.

    Two writes of one millisecond meet in its constraints; it answers 409 "please retry" then.
    """
    headers = {"Authorization": server.authorization}
    place = f"/v1{kinto.COLLECTION}/records"
    batch = {
        "defaults": {"method": "POST", "path": place},
        "requests": [{"body": {"data": example()}}] * BATCH,
    }
    return {
        "get": Sent([http("GET", f"{place}/{each}", headers) for each in known.object_ids]),
        "list": Sent([http("GET", f"{place}?_limit={PAGE}", headers)]),
        "page": Sent([http("GET", each, headers) for each in known.cursors]),
        "post": Sent([http("POST", place, headers, {"data": example()})], 201, 409),
        "patch": Sent(
            [
                http("PATCH", f"{place}/{each}", headers, {"data": _change()})
                for each in known.object_ids
            ],
            200,
            409,
        ),
        "batch": Sent([http("POST", "/v1/batch", headers, batch)], 200, 409),
    }
