"""Whatever is sent is answered: with what was asked for, or with a problem that names the fault."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import keys
from tests.e2e.conftest import ClientSettings, NewTenant, made
from tests.e2e.fuzzed import DIARY, FEW, SOME, Caller, calling, texts, values

names = st.sampled_from(
    ["mood", "a.b", "/a~1b", "$id", "$key", "$created_at", "$x", "a..b", "", "\0", "a\ud800"]
)
operators = st.sampled_from(
    ["eq", "ne", "gt", "gte", "lt", "lte", "in", "prefix", "exists", "contains", "regex"]
)
conditions = st.dictionaries(
    names | texts, values | st.dictionaries(operators, values, max_size=2), max_size=3
)


@pytest.fixture(scope="module")
def callers(client_settings: ClientSettings, new_tenant: NewTenant) -> Iterator[list[Caller]]:
    """Two tenants with a collection of the same name and the same three objects."""
    found = [calling(client_settings, new_tenant()) for _ in range(2)]
    for caller in found:
        made(caller.client.post(caller.tenant.collections, json={"name": DIARY}))
        for day in range(3):
            made(caller.client.post(f"{caller.diary}/objects", json={"body": {"day": day}}))
    yield found
    for caller in found:
        caller.client.close()


@pytest.fixture(scope="module")
def client_settings(settings: ClientSettings) -> ClientSettings:
    """The settings, by a name that is not Hypothesis's."""
    return settings


@pytest.fixture(scope="module")
def caller(callers: list[Caller]) -> Caller:
    """The first of the tenants."""
    return callers[0]


@pytest.fixture(scope="module")
def cursors(callers: list[Caller]) -> list[str]:
    """The cursor behind the first object of each tenant's collection."""
    pages = [one.client.get(f"{one.diary}/objects", params={"limit": 1}) for one in callers]
    return [page.json()["next_cursor"] for page in pages]


LISTS = (
    "/v1/documents",
    "/v1/batches",
    "/v1/dead-letters",
    "{c}",
    "{c}/diary/objects",
    "/v1/search?q=x",
)


@given(path=st.sampled_from(LISTS), cursor=st.text(max_size=64))
@example(path="{c}/diary/objects", cursor="")
@example(path="{c}/diary/objects", cursor=base64.urlsafe_b64encode(bytes(12) + b"{").decode())
@example(path="/v1/documents", cursor="A" * 1024)
@example(path="/v1/documents", cursor="A" * 60_000)
def test_no_made_up_cursor_opens_a_list(caller: Caller, path: str, cursor: str) -> None:
    """Cursors are signed: any other text is 400, or 422 where it is too long."""
    path = path.replace("{c}", caller.tenant.collections)
    answer = caller.call("GET", path, params={"cursor": cursor} | _query(path))
    assert answer.status_code in {400, 422}, answer.text


def _query(path: str) -> dict[str, str]:
    return {"q": "x"} if "?" in path else {}


@given(place=st.integers(min_value=0, max_value=60), bit=st.integers(min_value=0, max_value=5))
def test_no_cursor_survives_a_flipped_bit(
    caller: Caller, cursors: list[str], place: int, bit: int
) -> None:
    """Nor one that is cut; the whole one opens its list."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    [cursor, _] = cursors
    flipped = alphabet[alphabet.index(cursor[place]) ^ 1 << bit]
    bad = cursor[:place] + flipped + cursor[place + 1 :]
    objects = f"{caller.diary}/objects"
    assert caller.call("GET", objects, params={"cursor": bad}).status_code == 400
    assert caller.call("GET", objects, params={"cursor": cursor[:place]}).status_code == 400
    assert caller.call("GET", objects, params={"cursor": cursor}).status_code == 200


def test_no_cursor_is_good_for_another_tenant(callers: list[Caller], cursors: list[str]) -> None:
    """Although its collection has the same name, and its list the same form."""
    for caller, cursor in zip(callers, reversed(cursors), strict=True):
        answer = caller.call("GET", f"{caller.diary}/objects", params={"cursor": cursor})
        assert answer.status_code == 400


@given(where=st.one_of(texts, conditions.map(json.dumps), values.map(json.dumps)))
@example(where="[" * 4000)
@example(where='{"a":' * 600 + "1" + "}" * 600)
@example(where='{"a":1e400}')
@example(where='{"a":NaN}')
@example(where='{"a":' + "9" * 3900 + "}")
@example(where='{"a":1,"a":2}')
def test_any_where_is_used_or_refused(caller: Caller, where: str) -> None:
    """On objects and on documents, 200 or 422."""
    for path in (f"{caller.diary}/objects", "/v1/documents"):
        answer = caller.call("GET", path, params={"where": where})
        assert answer.status_code in {200, 422}, answer.text


@settings(max_examples=SOME)
@given(key=st.text(min_size=1, max_size=60))
@example(key=".")
@example(key="..")
@example(key="a/b")
@example(key="%2F")
@example(key="a%00b")
@example(key="\u202e\U0001f600 e\u0301")
@example(key="k" * 256)
@example(key="k" * 257)
@example(key="k" * 60_000)
@example(key="?#;&=+ ")
def test_a_key_names_its_object_or_is_refused(caller: Caller, key: str) -> None:
    """What PUT took, GET finds under the same key, to the character."""
    path = f"{caller.diary}/objects/by-key/" + quote(key, safe="").replace(".", "%2E")
    answer = caller.send("PUT", path, {"body": {}})
    assert answer.status_code in {200, 201, 404, 422}, answer.text
    if answer.is_success:
        assert caller.call("GET", path).json()["key"] == answer.json()["key"] == key


@settings(max_examples=FEW)
@given(name=st.text(max_size=70) | values)
def test_a_name_is_a_collections_or_is_refused(caller: Caller, name: Any) -> None:
    """Small letters, digits, _ and -, a letter first; anything else is 422."""
    answer = caller.send("POST", caller.tenant.collections, {"name": name})
    assert answer.status_code in {200, 201, 422}, answer.text


def _nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        found = {"properties": {"a": found}}
    return found


SCHEMAS: list[Any] = [
    {"properties": {"a": {"pattern": "^(a+)+$"}}},
    {"properties": {"a": {"pattern": "(a|a)*b"}}},
    {"properties": {"a": {"pattern": "(?=(a+))\\1b"}}},
    {"properties": {"a": {"pattern": "("}}},
    {"patternProperties": {"^(a|aa)+$": {}}},
    {"$ref": "#"},
    {"properties": {"a": {"$ref": "#"}}},
    {"$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}}, "$ref": "#/$defs/x"},
    {"$ref": "#/$defs/nowhere"},
    {"$ref": "https://example.com/schema.json"},
    {"$ref": "http://127.0.0.1:9/schema.json"},
    {"$ref": "file:///etc/passwd"},
    {"$id": "file:///etc/", "$ref": "passwd"},
    {"$dynamicRef": "#x", "$defs": {"x": {"$dynamicAnchor": "x"}}},
    {"$schema": "https://example.com/mine"},
    {"properties": {f"p{n}": {"type": "string"} for n in range(10_000)}},
    {"required": [f"p{n}" for n in range(10_000)]},
    {"enum": list(range(10_000))},
    _nested(60),
    _nested(400),
    {"allOf": [{"anyOf": [{"oneOf": [{"type": "object"}] * 20}] * 20}] * 20},
    {"multipleOf": 0},
    {"properties": {"n": {"multipleOf": 1e-308}}},
    {"minLength": -1},
    {"type": "nothing"},
    {"description": "x" * 300_000},
    {"uniqueItems": True, "properties": {"l": {"uniqueItems": True}}},
    True,
    [],
    "object",
]


@settings(max_examples=FEW)
@given(schema=st.dictionaries(texts | st.sampled_from(["type", "properties", "$ref"]), values))
def test_a_made_up_schema_is_used_or_refused(caller: Caller, schema: dict[str, Any]) -> None:
    """Any JSON object in the place of a JSON Schema."""
    _check_schema(caller, schema)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: str(schema)[:40])
def test_a_hostile_schema_is_used_or_refused(caller: Caller, schema: Any) -> None:
    """Endless patterns and references, foreign ones, and more than anybody needs."""
    _check_schema(caller, schema)


def _check_schema(caller: Caller, schema: Any) -> None:
    """Checks that a schema is refused, or else judges an object that is made to be hard for it."""
    answer = caller.send("POST", caller.tenant.collections, {"name": "judged", "schema": schema})
    assert answer.status_code in {200, 201, 413, 422}, answer.text
    if answer.is_success:
        body = {"a": "a" * 5000 + "!", "n": 1e300, "l": list(range(3000)), "a" * 200 + "!": 1}
        path = f"{caller.tenant.collections}/judged/objects"
        judged = caller.send("POST", path, {"body": body})
        assert judged.status_code in {201, 422}, judged.text


BODIES = [
    b"",
    b"\xff\xfe{}",
    b'\xef\xbb\xbf{"body":{}}',
    '{"body":{}}'.encode("utf-16"),
    b'{"body":{"a":"\\u0000"}}',
    b'{"body":{"a":"\\ud800"}}',
    b'{"body":{"\\udc00":1}}',
    b'{"body":{"a":1e400}}',
    b'{"body":{"a":-1e400}}',
    b'{"body":{"a":NaN}}',
    b'{"body":{"a":Infinity}}',
    b'{"body":{"a":' + b"9" * 5000 + b"}}",
    b'{"body":{"a":1' + b"0" * 300_000 + b"}}",
    b'{"body":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
    b"[" * 200_000,
    b'{"body":{"a":1,"a":2}}',
    b'{"body":{},"body":{}}',
    b'{"body":{"a":"b"',
    b'{"body":{}}{"body":{}}',
    b'{"body":{},"nope":1}',
    b'{"body":{"a":"' + b"x" * 1_100_000 + b'"}}',
    b"null",
    b'"body"',
    b"body=1",
    b"\0",
]
MERGE = "application/merge-patch+json"
KINDS = [
    *("application/json", "text/plain", "application/x-www-form-urlencoded", "a", "", "/;;="),
    *(MERGE, "application/json-patch+json"),
]
REFUSED = {400, 404, 413, 415, 422}


@given(content=st.binary(max_size=200) | st.sampled_from(BODIES), kind=st.sampled_from(KINDS))
def test_any_bytes_are_read_or_refused(caller: Caller, content: bytes, kind: str) -> None:
    """As a body of any kind, for calls that read it themselves and those that do not."""
    for method, path in _writes(caller):
        headers = {"Content-Type": kind}
        answer = caller.call(method, path, content=content, headers=headers)
        # A merge patch may be any JSON object.
        fine = REFUSED | {200} if (method, kind) == ("PATCH", MERGE) else REFUSED
        assert answer.status_code in fine, (method, path, answer.text)


@pytest.mark.parametrize("content", BODIES, ids=lambda content: content[:30].decode("latin-1"))
def test_bad_json_is_refused(caller: Caller, content: bytes) -> None:
    """Bytes that are not JSON, and JSON that would not be kept as it was sent."""
    headers = {"Content-Type": "application/json"}
    for method, path in _writes(caller):
        answer = caller.call(method, path, content=content, headers=headers)
        assert answer.status_code in REFUSED, (method, path, answer.text)


def _writes(caller: Caller) -> list[tuple[str, str]]:
    page = caller.client.get(f"{caller.diary}/objects", params={"limit": 1})
    [kept] = page.json()["items"]
    return [
        ("PATCH", f"/v1/objects/{kept['id']}"),
        ("PUT", f"/v1/objects/{kept['id']}"),
        ("POST", f"{caller.diary}/objects"),
        ("PUT", f"{caller.diary}/objects/by-key/day"),
        ("POST", f"{caller.diary}/batch"),
        ("POST", caller.tenant.collections),
        ("PUT", "/v1/document-types/made_up"),
        ("POST", "/v1/documents"),
        ("POST", "/v1/batches"),
        ("POST", "/v1/search"),
    ]


@settings(max_examples=SOME)
@given(place=st.integers(min_value=1, max_value=70), letter=st.characters(codec="ascii"))
def test_a_mangled_key_opens_nothing(caller: Caller, place: int, letter: str) -> None:
    """With one other letter, or cut: any of its letters counts."""
    key = caller.tenant.key
    for bad in (key[:place] + letter + key[place + 1 :], key[:place]):
        if bad.strip() != key and letter.isprintable():
            headers = {"Authorization": f"Bearer {bad}"}
            assert caller.call("GET", caller.diary, headers=headers).status_code == 401


def test_a_key_that_was_never_made_opens_nothing(caller: Caller) -> None:
    """However right its form is."""
    for env in ("live", "local", "test"):
        headers = {"Authorization": f"Bearer {keys.mint(env)}"}
        assert caller.call("GET", caller.diary, headers=headers).status_code == 401


async def test_tenants_that_race_for_one_name_both_have_it(
    client_settings: ClientSettings, callers: list[Caller]
) -> None:
    """A name is each tenant's own, and of one tenant's many attempts one creates."""
    async with httpx2.AsyncClient(
        base_url=client_settings.gateway_url, timeout=60, trust_env=False
    ) as client:

        async def make(caller: Caller) -> int:
            answer = await client.post(
                caller.tenant.collections,
                json={"name": "wanted"},
                headers={"Authorization": f"Bearer {caller.tenant.key}"},
            )
            return answer.status_code

        found = await asyncio.gather(*(make(caller) for _ in range(10) for caller in callers))

    for statuses in (found[0::2], found[1::2]):
        assert sorted(statuses) == [200] * 9 + [201]
    for caller in callers:
        kept = caller.client.get(f"{caller.tenant.collections}/wanted").json()
        assert kept["gpt_id"] == caller.tenant.gpt_id
