"""Collections and objects over HTTP: what is written is what is read, exactly and once."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import ClientSettings, Until

WRITERS = 1000

EXACT = (
    '{"big":1' + "0" * 400 + ',"tenth":0.1,"tiny":5e-324,"large":1.7976931348623157e+308,'
    '"emoji":"\\ud83d\\ude00 e\\u0301","separators":"\\u2028\\u2029","empty":{},"list":[[],null],'
    '"":"no name","a/b~c":true,"int":9007199254740993,"quote":"\\"\\\\"}'
)


@pytest.fixture
def diary(api: httpx2.Client, settings: ClientSettings) -> Iterator[str]:
    """The path of a collection of this test's own."""
    listed = f"/v1/gpts/{settings.gpt_id}/collections"
    name = f"diary-{uuid.uuid4().hex[:12]}"
    made = api.post(listed, json={"name": name, "description": "Days.", "keep_versions": 3})
    assert made.status_code == 201, made.text
    yield f"{listed}/{name}"
    assert api.delete(f"{listed}/{name}").json()["deleted"]


def connected(settings: ClientSettings, connections: int) -> httpx2.AsyncClient:
    """Returns: a client with the tenant's key and so many connections at most."""
    key = settings.api_key.get_secret_value()
    return httpx2.AsyncClient(
        base_url=settings.gateway_url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=120,
        trust_env=False,
        limits=httpx2.Limits(max_connections=connections),
    )


@pytest.fixture
async def parallel(settings: ClientSettings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that makes many calls at once."""
    async with connected(settings, 100) as client:
        yield client


def put(api: httpx2.Client, diary: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Returns: a new object."""
    made = api.post(f"{diary}/objects", json={"body": body, **more})
    assert made.status_code == 201, made.text
    created: dict[str, Any] = made.json()
    return created


def test_an_object_from_its_creation_to_its_restoring(api: httpx2.Client, diary: str) -> None:
    """Each change raises the version, answers with the object, and can be gone back to."""
    made = api.post(f"{diary}/objects", json={"body": {"mood": "good", "tags": ["a"]}})
    one = made.json()
    path = made.headers["location"].partition("/v1/")[2]
    path = f"/v1/{path}"
    assert made.headers["etag"] == '"1"'
    assert api.get(path).json() == one
    merged = api.patch(path, json={"body": {"mood": None, "text": "Rain."}})
    assert (merged.json()["version"], merged.json()["body"]) == (
        2,
        {"tags": ["a"], "text": "Rain."},
    )
    bare = api.patch(
        path,
        content='{"mood":"fine"}',
        headers={"Content-Type": "application/merge-patch+json", "If-Match": '"2"'},
    )
    assert bare.json()["body"]["mood"] == "fine"
    patched = api.patch(
        path,
        content='[{"op":"add","path":"/tags/-","value":"b"}]',
        headers={"Content-Type": "application/json-patch+json"},
    )
    assert patched.json()["body"]["tags"] == ["a", "b"]
    stale = api.put(path, json={"body": {}}, headers={"If-Match": '"2"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
    assert api.get(path, headers={"If-None-Match": '"4"'}).status_code == 304
    gone = api.delete(path, params={"if_version": 4})
    assert (gone.status_code, gone.json()["deleted"]) == (200, True)
    assert api.get(path).status_code == api.delete(path).status_code == 404
    versions = api.get(f"{path}/versions").json()
    assert versions["deleted"]
    assert [each["version"] for each in versions["items"]] == [4, 3, 2]
    back = api.post(f"{path}/versions/3/restore")
    assert (back.status_code, back.json()["body"]["mood"]) == (200, "fine")
    assert api.get(path).json() == back.json()


def test_a_body_comes_back_exactly(api: httpx2.Client, diary: str) -> None:
    """Every number and every character, from the write, by id, by key and in lists."""
    sent = api.put(
        f"{diary}/objects/by-key/exact",
        content=f'{{"body":{EXACT}}}',
        headers={"Content-Type": "application/json"},
    )
    assert sent.status_code == 201, sent.text
    path = f"/v1/objects/{sent.json()['id']}"
    answers = [sent, api.get(path), api.get(f"{diary}/objects/by-key/exact")]
    bodies = [answer.json()["body"] for answer in answers]
    bodies.append(api.get(f"{diary}/objects").json()["items"][0]["body"])
    exact = json.loads(EXACT)
    for body in bodies:
        # A double of 1e16 and more comes back as the integer that its digits and zeros are.
        assert float(body.pop("large")) == exact["large"]
        assert body == {name: exact[name] for name in exact if name != "large"}
        assert type(body["int"]) is int


def test_putting_by_key_again_changes_nothing(api: httpx2.Client, diary: str) -> None:
    """GPTs repeat calls: the second one finds the object as it is to be."""
    path = f"{diary}/objects/by-key/2026-11-01"
    first = api.put(path, json={"body": {"n": 1}})
    second = api.put(path, json={"body": {"n": 1}})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert api.get(f"{diary}/objects", params={"count": "true"}).json()["total"] == 1
    absent = api.put(path, json={"body": {}}, headers={"If-None-Match": "*"})
    assert (absent.status_code, absent.json()["code"]) == (412, "already_exists")


def test_a_repeat_with_its_key_gets_the_first_answer(api: httpx2.Client, diary: str) -> None:
    """Even a deletion that is repeated after the object is gone."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    twice = [
        api.post(f"{diary}/objects", json={"body": {"n": 1}}, headers=headers) for _ in range(2)
    ]
    assert twice[0].json() == twice[1].json()
    path = f"/v1/objects/{twice[0].json()['id']}"
    gone = [api.delete(path, headers={"Idempotency-Key": "again-" + path[-20:]}) for _ in range(2)]
    assert [one.status_code for one in gone] == [200, 200]


@pytest.mark.parametrize("atomic", [False, True])
def test_a_batch_says_what_became_of_each(api: httpx2.Client, diary: str, *, atomic: bool) -> None:
    """On its own each stands or falls; atomic, one that falls takes all with it."""
    put(api, diary, {"n": 0}, key="there")
    operations = [
        {"op": "create", "body": {"n": 1}, "key": "new"},
        {"op": "merge", "key": "there", "body": {"n": 2}},
        {"op": "delete", "key": "nowhere"},
    ]
    answer = api.post(f"{diary}/batch", json={"operations": operations, "atomic": atomic})
    stored = api.get(f"{diary}/objects").json()["items"]
    if atomic:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "peration 2" in answer.json()["detail"]
        assert [one["body"]["n"] for one in stored] == [0]
    else:
        results = answer.json()["results"]
        assert [one["status"] for one in results] == [201, 200, 404]
        assert (answer.json()["failed"], results[2]["problem"]["code"]) == (1, "not_found")
        assert [one["body"]["n"] for one in stored] == [2, 1]


def test_words_are_found_once_they_are_indexed(
    api: httpx2.Client, diary: str, until: Until
) -> None:
    """Declaring an index on a collection that has objects makes them findable in a while."""
    rain = put(api, diary, {"text": "It was raining all day"})
    put(api, diary, {"text": "Sunshine"})
    refused = api.get(f"{diary}/objects", params={"q": "rain"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
    text = {"fields": ["/text"], "language": "english", "fragments": True}
    assert api.patch(diary, json={"indexes": {"text": text}}).status_code == 200
    until(lambda: api.get(diary).json()["indexes_ready"] or None)
    for words in ("rain", "aini", '"raining all" -sun'):
        found = api.get(f"{diary}/objects", params={"q": words}).json()["items"]
        assert [one["id"] for one in found] == [rain["id"]]


def test_changes_can_be_followed(api: httpx2.Client, diary: str) -> None:
    """Who asks again with next_since sees what came since, deletions too."""
    first, second = put(api, diary, {"n": 1}), put(api, diary, {"n": 2})
    page = api.get(f"{diary}/changes", params={"limit": 1}).json()
    assert [one["id"] for one in page["items"]] == [first["id"]]
    api.delete(f"/v1/objects/{first['id']}")
    page = api.get(f"{diary}/changes", params={"since": page["next_since"]}).json()
    assert [(one["id"], one["change"]) for one in page["items"]] == [
        (second["id"], "created"),
        (first["id"], "deleted"),
    ]


async def test_of_many_writers_one_wins_each_version(
    api: httpx2.Client, diary: str, settings: ClientSettings
) -> None:
    """1,000 at once on one object, all with one If-Match: one wins, and so with each version."""
    path = f"/v1/objects/{put(api, diary, {'writer': -1})['id']}"
    async with connected(settings, WRITERS) as crowd:
        for version, writers in ((1, WRITERS), (2, 100), (3, 100), (4, 100)):
            ends = await asyncio.gather(
                *(written(crowd, path, version, writer) for writer in range(writers))
            )
            won = [body for status, body in ends if status == 200]
            assert [one["version"] for one in won] == [version + 1]
            lost = [body["code"] for status, body in ends if status == 412]
            assert lost == ["version_conflict"] * (writers - 1)
            assert api.get(path).json() == won[0]


async def written(
    crowd: httpx2.AsyncClient, path: str, version: int, writer: int
) -> tuple[int, dict[str, Any]]:
    """Returns: status and body of what becomes of a write in the end, however long that takes."""
    body = {"body": {"was": version, "by": writer}}
    answer = await crowd.put(
        path,
        json=body,
        headers={"If-Match": f'"{version}"'},
        # Some do not wait, so that what is answered later is counted too.
        params={"wait_s": 0 if writer % 10 == 0 else 10},
    )
    found: dict[str, Any] = answer.json()
    while answer.status_code == 202 and found["status"] not in {"completed", "failed"}:
        asked = await crowd.get(found["status_url"], params={"wait_s": 30})
        found = asked.json()
    if answer.status_code != 202:
        return answer.status_code, found
    if found["status"] == "failed":
        return found["problem"]["status"], found["problem"]
    return 200, (await crowd.get(path)).json()


@pytest.mark.parametrize("keep_versions", [0, 3])
async def test_each_of_many_changes_that_are_made_is_answered_as_made(
    api: httpx2.Client, diary: str, parallel: httpx2.AsyncClient, keep_versions: int
) -> None:
    """50 at once, of which few are kept: each makes a version, and knows which."""
    api.patch(diary, json={"keep_versions": keep_versions}).raise_for_status()
    path = f"/v1/objects/{put(api, diary, {})['id']}"
    answers = await asyncio.gather(
        *(parallel.patch(path, json={"body": {str(n): n}}) for n in range(50))
    )
    assert {one.status_code for one in answers} == {200}
    assert sorted(one.json()["version"] for one in answers) == list(range(2, 52))
    for one in answers:
        assert one.headers["etag"] == f'"{one.json()["version"]}"'
    assert api.get(path).json()["body"] == {str(n): n for n in range(50)}


async def test_pages_hold_still_while_others_write(
    api: httpx2.Client, diary: str, parallel: httpx2.AsyncClient
) -> None:
    """What was there all the time comes once, whatever is written and deleted meanwhile."""
    operations = [{"op": "create", "body": {"kept": n % 3 != 0}} for n in range(90)]
    results = api.post(f"{diary}/batch", json={"operations": operations}).json()["results"]
    kept = [one["id"] for n, one in enumerate(results) if n % 3 != 0]
    going = [one["id"] for n, one in enumerate(results) if n % 3 == 0]

    async def disturb() -> None:
        for object_id in going:
            await parallel.delete(f"/v1/objects/{object_id}")
            await parallel.post(f"{diary}/objects", json={"body": {"kept": False}})
            await parallel.patch(f"/v1/objects/{kept[0]}", json={"body": {"seen": object_id}})

    async def read() -> list[str]:
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await parallel.get(f"{diary}/objects", params={"limit": "7", **cursor})).json()
            found += [one["id"] for one in page["items"]]
            if not page["has_more"]:
                return found
            cursor = {"cursor": page["next_cursor"]}

    disturbing = asyncio.create_task(disturb())
    for _ in range(3):
        found = await read()
        assert len(found) == len(set(found))
        assert [one for one in found if one in set(kept)] == kept
    await disturbing
