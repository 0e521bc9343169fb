"""End users of one GPT, and another GPT: nobody sees or changes another one's things.

Ann has things of every kind. The others know each of their ids, and walk every route.
"""

import base64
import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.e2e.conftest import ClientSettings, NewKey, NewTenant, Tenant, Until, made
from tests.e2e.walk import ENTERED, HIDDEN, LISTED, SHARED, WALKED, WITHHELD, Step, walked

SUBJECT = "Actionstream-Subject"
ATTEMPT = "once"
"""An idempotency key that everyone thinks of."""

DIARY = {"name": "diary", "search": {"fields": ["/text"]}}
OTHERS = ("ben", "acting as ben", "the ann of another GPT")
READING = [step for step in (*HIDDEN, *LISTED) if step.method == "GET" or "search" in step.path]
STEADY = [step for step in HIDDEN if step.method == "GET" and step.path != "/v1/batches/{batch_id}"]
"""What says the same as long as nothing is changed; of batches this is what is in them."""

PAGED = [step for step in LISTED if step.path.endswith(("/objects", "/documents", "/reviews"))]


@dataclass(frozen=True)
class Things:
    """What Ann has: what paths and bodies name of it, and what nobody else may ever read."""

    client: httpx2.Client
    known: dict[str, Any]
    requests: list[str]
    secrets: list[str]
    file: dict[str, str]

    def call(self, client: httpx2.Client, step: Step, **more: Any) -> httpx2.Response:
        """Returns: the answer that someone gets who knows all of hers."""
        path, query, body = step.call({**self.known, **more})
        return client.request(step.method, path, params=query, json=body)

    def shown(self, answer: httpx2.Response) -> list[str]:
        """Returns: what an answer tells of them that the call did not name itself."""
        sent = f"{answer.request.url} {answer.request.content.decode()}"
        return [one for one in self.secrets if one in answer.text and one not in sent]

    def seen(self) -> dict[str, str]:
        """Returns: what their owner sees of them."""
        return {str(step): self.call(self.client, step).text for step in STEADY}


@dataclass(frozen=True)
class Other:
    """Someone who is not Ann, with a batch that was made after all that she has."""

    client: httpx2.Client
    token: str
    in_tenant: bool
    batch_id: str

    def expected(self, step: Step, statuses: frozenset[int]) -> frozenset[int]:
        """Returns: what a step is answered with; of another GPT's collections nothing is known."""
        return statuses if self.in_tenant or "{gpt_id}" not in step.path else frozenset({404})


def receipt(text: str) -> dict[str, str]:
    """Returns: a receipt that lacks what a receipt must have, so that a person is to review it."""
    content = f"Corner Bakery\nThank you for your visit, {text}\nCome again\n"
    return {
        "content_base64": base64.b64encode(content.encode()).decode(),
        "filename": f"{text}.txt",
        "type": "receipt",
    }


@pytest.fixture(scope="module")
def tenant(new_tenant: NewTenant, settings: ClientSettings) -> Tenant:
    """A GPT that serves several people, who share the definition of a collection."""
    made_one = new_tenant()
    with settings.client(made_one.key) as whole:
        made(whole.post(made_one.collections, json=DIARY))
    return made_one


@pytest.fixture(scope="module")
def ann(
    tenant: Tenant, new_key: NewKey, settings: ClientSettings, until: Until
) -> Iterator[Things]:
    """Ann's two documents in an open batch, and two objects of which one has several versions."""
    word = f"quince{uuid.uuid4().hex[:12]}"
    objects = f"{tenant.collections}/diary/objects"
    once = {"idempotency_key": ATTEMPT}
    with settings.client(new_key(tenant, "ann")) as client:
        sent = {"name": word, "close": False, "documents": [receipt(f"{word}-{n}") for n in "12"]}
        batch = made(client.post("/v1/batches", json=sent, params=once))
        monday, tuesday = (
            made(client.put(f"{objects}/by-key/{key}", json={"body": {"text": word}}))["id"]
            for key in ("monday", "tuesday")
        )
        made(client.post(objects, json={"body": {"text": word}}, params=once))
        patch = {"body": {"end": word}}
        later = made(client.patch(f"/v1/objects/{monday}", json=patch, params={"wait_s": 0}))
        file = receipt(uuid.uuid4().hex)
        alone = made(client.post("/v1/documents", json=file))
        documents = [one["document_id"] for one in (*batch["documents"], alone)]
        requests = [one["request_id"] for one in (batch, later, alone, *batch["documents"])]

        def all_found() -> bool | None:
            ended = {client.get(f"/v1/requests/{one}").json()["status"] for one in requests}
            asked = {"q": word, "in": "documents,collections", "mode": "keyword"}
            found = client.get("/v1/search", params=asked)
            return (ended == {"completed"} and len(found.json()["items"]) == 5) or None

        until(all_found)
        known = {
            "gpt_id": tenant.gpt_id,
            "name": "diary",
            "key": "monday",
            "taken": "tuesday",
            "version": 1,
            "object_id": monday,
            "document_id": documents[0],
            "review_id": documents[0],
            "batch_id": batch["batch_id"],
            "request_id": requests[0],
            "word": word,
        }
        secrets = [word, monday, tuesday, batch["batch_id"], *documents, *requests]
        yield Things(client, known, requests, secrets, file)


@pytest.fixture(scope="module")
def others(
    ann: Things, tenant: Tenant, new_tenant: NewTenant, new_key: NewKey, settings: ClientSettings
) -> Iterator[dict[str, Other]]:
    """An end user by a key of their own, one for whom the GPT's key acts, and a namesake."""
    assert ann.secrets
    foreign = new_tenant()
    with settings.client(foreign.key) as whole:
        made(whole.post(foreign.collections, json=DIARY))
    tokens = (new_key(tenant, "ben"), tenant.key, new_key(foreign, "ann"))
    found = {}
    with ExitStack() as stack:
        for name, token in zip(OTHERS, tokens, strict=True):
            client = stack.enter_context(settings.client(token))
            if token == tenant.key:
                client.headers[SUBJECT] = "ben"
            batch = made(client.post("/v1/batches", json={"name": name, "close": False}))
            found[name] = Other(client, token, token != tokens[2], batch["batch_id"])
        yield found


@pytest.fixture(params=OTHERS)
def other(request: pytest.FixtureRequest, others: dict[str, Other]) -> Other:
    """One of those who are not Ann."""
    return others[request.param]


def test_the_walk_leaves_out_no_route(api: httpx2.Client) -> None:
    """Each operation of these kinds is walked; a new one is to be entered in the walk."""
    there = {
        (method.upper(), path)
        for path, operations in api.get("/openapi.json").json()["paths"].items()
        if path.startswith(WALKED)
        for method in operations.keys() & {"get", "put", "post", "patch", "delete"}
    }
    assert walked() == there


@pytest.mark.parametrize("step", READING, ids=str)
def test_who_has_a_thing_is_shown_it(ann: Things, step: Step) -> None:
    """So that what others are not shown is kept from them, and not just badly asked for."""
    answer = ann.call(ann.client, step)
    assert answer.status_code == 200, answer.text
    assert any(one in answer.text for one in ann.secrets)


@pytest.mark.parametrize("step", HIDDEN, ids=str)
def test_what_is_anothers_is_not_there(ann: Things, other: Other, step: Step) -> None:
    """Whatever id is known it is 404, nothing of the thing is told, and nothing happens to it."""
    before = None if step.method == "GET" else ann.seen()
    for request_id in ann.requests if "{request_id}" in step.path else ann.requests[:1]:
        answer = ann.call(other.client, step, request_id=request_id)
        assert answer.status_code == 404, answer.text
        assert not ann.shown(answer)
    assert before is None or ann.seen() == before


@pytest.mark.parametrize("step", LISTED, ids=str)
def test_lists_hold_ones_own_alone(ann: Things, other: Other, step: Step) -> None:
    """Whatever is asked for by what is known of another one's things."""
    answer = ann.call(other.client, step)
    assert answer.status_code in other.expected(step, frozenset({200})), answer.text
    assert not ann.shown(answer)
    if answer.status_code == 200 and "count" in step.query:
        assert (answer.json()["total"], answer.json()["total_is"]) == (0, "exact")


@pytest.mark.parametrize("step", PAGED, ids=str)
def test_a_place_in_anothers_list_is_none(ann: Things, other: Other, step: Step) -> None:
    """A cursor goes on in the list of whom it was given to, and in no other."""
    path, query, _ = step.call(ann.known)
    page = ann.client.get(path, params={**query, "limit": 1}).json()
    assert page["has_more"]
    found = other.client.get(path, params={**query, "limit": 1, "cursor": page["next_cursor"]})
    assert found.status_code in other.expected(step, frozenset({400})), found.text


@pytest.mark.parametrize("step", ENTERED, ids=str)
def test_what_one_makes_is_ones_own(ann: Things, other: Other, step: Step) -> None:
    """By keys that another one has taken too, and under her idempotency keys and request ids."""
    before = ann.seen()
    path, query, body = step.call(ann.known)
    for attempt in (ATTEMPT, *ann.requests):
        named = {**query, "idempotency_key": attempt}
        answer = other.client.request(step.method, path, params=named, json=body)
        assert answer.status_code in other.expected(step, step.statuses), answer.text
        assert not ann.shown(answer)
    assert ann.seen() == before


def test_operations_on_anothers_objects_find_nothing(ann: Things, other: Other) -> None:
    """Each is told that there is no such object, as those on objects that never were."""
    before = ann.seen()
    changes: tuple[dict[str, Any], ...] = (
        {"op": "merge", "body": {}},
        {"op": "patch", "patch": []},
        {"op": "put", "body": {}},
        {"op": "delete"},
    )
    operations = [{**change, "id": ann.known["object_id"]} for change in changes]
    operations += [
        {**change, "key": ann.known["key"]} for change in changes if change["op"] != "put"
    ]
    path = "/v1/gpts/{gpt_id}/collections/{name}/batch".format(**ann.known)
    answer = other.client.post(path, json={"operations": operations})
    if other.in_tenant:
        results = made(answer)["results"]
        assert [one["status"] for one in results] == [404] * len(operations)
    else:
        assert answer.status_code == 404
    assert not ann.shown(answer)
    assert ann.seen() == before


@pytest.mark.parametrize("step", [*SHARED, *WITHHELD], ids=str)
def test_a_collection_belongs_to_the_whole_gpt(ann: Things, other: Other, step: Step) -> None:
    """Its end users read its definition, and change nothing of it; others know of none."""
    before = ann.seen()
    answer = ann.call(other.client, step)
    status = 200 if step in SHARED else 403
    assert answer.status_code in other.expected(step, frozenset({status})), answer.text
    assert not ann.shown(answer)
    assert ann.seen() == before


def test_the_same_file_names_nobody_elses(ann: Things, other: Other, until: Until) -> None:
    """Who sends what Ann has sent is not told so; who sends it twice is."""

    def processed() -> dict[str, Any]:
        document_id = made(other.client.post("/v1/documents", json=ann.file))["document_id"]

        def ended() -> dict[str, Any] | None:
            answer = other.client.get(f"/v1/documents/{document_id}")
            assert not ann.shown(answer)
            found: dict[str, Any] = answer.json()
            return found if found["status"] == "completed" else None

        document: dict[str, Any] = until(ended)
        return document

    theirs = {processed()["duplicate_of"], processed()["duplicate_of"]}
    assert any(theirs)
    assert not theirs & set(ann.secrets)


def test_a_socket_tells_ones_own_events_alone(ann: Things, other: Other) -> None:
    """From the first event on, up to one's own, which came after all of hers."""
    address = str(ann.client.base_url).replace("http", "ws", 1).rstrip("/")
    acting = other.client.headers.get(SUBJECT)
    told = []
    with connect(
        f"{address}/v1/ws",
        subprotocols=[Subprotocol("actionstream.v1"), Subprotocol(f"bearer.{other.token}")],
        additional_headers={} if acting is None else {SUBJECT: acting},
        proxy=None,
    ) as socket:
        socket.send(json.dumps({"type": "subscribe", "since": "0", "max_in_flight": 1000}))
        while other.batch_id not in (message := str(socket.recv(timeout=60))):
            told.append(message)
    assert {json.loads(one)["type"] for one in told} >= {"authenticated", "subscribed"}
    assert not [secret for secret in ann.secrets if secret in "".join(told)]


def test_a_key_of_an_end_user_acts_for_no_other(ann: Things, others: dict[str, Other]) -> None:
    """Ben's key is refused at every route where it says that the call is Ann's."""
    ben = others["ben"].client
    for step in (*HIDDEN, *LISTED, *ENTERED, *SHARED, *WITHHELD):
        path, query, body = step.call(ann.known)
        for answer in (
            ben.request(step.method, path, json=body, params={**query, "subject": "ann"}),
            ben.request(step.method, path, json=body, params=query, headers={SUBJECT: "ann"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), str(step)
