"""What must hold of a collection and its objects after everything was broken.

Every completed write says which version it made. So what each key must hold is played again from
the answers, and compared with rows, counts, the feed of changes, and events.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.orders import COLLECTION, GPT, Kind, merged, operations, put
from tests.chaos.outside import Row, decoded
from tests.chaos.truth import Finding, Truth

_KINDS = {
    "created": "object.created",
    "updated": "object.updated",
    "deleted": "object.deleted",
}
#: Tables in which a tenant that was deleted has no row.
_EMPTIED = ("collections", "objects", "object_versions", "api_keys", "document_types")


@dataclass(frozen=True)
class Written:
    """A change that was answered as done: which version of a key it made; no number is an end."""

    key: str
    version: int
    change: str
    number: int | None
    kind: Kind | None


def objects(truth: Truth) -> Iterator[Finding]:
    """Each key holds what its completed writes come to, each of which made one version."""
    rows = defaultdict(list)
    for row in _rows(truth):
        rows[row["key"]].append(row)
    written = _by_key(truth)
    for key, several in written.items():
        made = [each.version for each in several]
        if made != list(range(1, len(made) + 1)):
            missing = set(range(1, max(made) + 1)) - set(made)
            kind = "lost" if missing else "doubled"
            yield Finding(kind, f"{key}: its writes made the versions {made}")
        yield from _held(key, several, rows[key])
    for key in rows.keys() - written.keys():
        yield Finding("doubled", f"nobody wrote the object {key}")
    for sent in truth.sent:
        if sent.refused is not None and _completed(truth.rows_of(sent)):
            name = f"{sent.order.kind} {sent.order.number}"
            yield Finding("wrong", f"{name} was done, and answered with {sent.refused}")


def _held(key: str, several: list[Written], rows: list[Row]) -> Iterator[Finding]:
    body = _played(several)
    live = [row for row in rows if row["deleted_at"] is None]
    newest = max(rows, key=lambda row: row["version"], default=None)
    if newest is None:
        yield Finding("lost", f"{key} has no row after {len(several)} writes")
        return
    if newest["version"] != several[-1].version:
        kind = "lost" if newest["version"] < several[-1].version else "doubled"
        yield Finding(kind, f"{key} has version {newest['version']} of {several[-1].version}")
    if len(live) != (body is not None):
        yield Finding("wrong", f"{key} has {len(live)} objects after {several[-1].change}")
    elif live and live[0]["body"] != body:
        yield Finding("wrong", f"{key} holds {live[0]['body']}, not {body}")


def _played(several: list[Written]) -> dict[str, Any] | None:
    body: dict[str, Any] | None = None
    for each in several:
        if each.change == "deleted" or each.number is None:
            body = None
        elif each.kind is Kind.MERGE_OBJECT:
            body = {**(body or {}), **merged(each.number)}
        elif each.kind is Kind.WRITE_BATCH:
            body = {"chaos": each.number}
        elif each.kind is not None:
            body = put(each.kind, each.number)["body"]
    return body


def counts(truth: Truth) -> Iterator[Finding]:
    """Collections count their objects and bytes exactly; of deleted ones nothing is left."""
    known = {row["collection_id"]: row for row in truth.tables["collections"]}
    for row in known.values():
        own = [each for each in truth.tables["objects"] if _in(each, row)]
        live = [each for each in own if each["deleted_at"] is None]
        held = (row["object_count"], row["byte_count"])
        true = (len(live), sum(each["size_bytes"] for each in live))
        if held != true:
            yield Finding("wrong", f"{row['name']} counts {held} objects and bytes of {true}")
        if len({each["sequence"] for each in own}) != len(own):
            yield Finding("doubled", f"a number of a change in {row['name']}")
        if row["deleted_at"] is not None:
            yield Finding("left over", f"the deleted collection {row['name']}")
    for row in truth.tables["objects"]:
        if row["collection_id"] not in known:
            yield Finding("left over", f"the object {row['object_id']} of a deleted collection")


def feed(truth: Truth) -> Iterator[Finding]:
    """Each change of a collection has one number, is on the topic, and was answered."""
    told: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for record in truth.changes:
        value = decoded(record)
        for change in value["changes"]:
            told[value["collection_id"]][change["sequence"]].add(str(sorted(change.items())))
    for row in truth.tables["collections"]:
        name, last, own = row["name"], row["sequence"], told[row["collection_id"]]
        if sorted(own) != list(range(1, last + 1)):
            kind = "lost" if len(own) < last else "doubled"
            yield Finding(kind, f"the feed of {name} has {len(own)} changes of {last}")
        for number, contents in own.items():
            if len(contents) > 1:
                yield Finding("doubled", f"change {number} of {name} has two contents")
        done = writes(truth)
        if name == COLLECTION and last != done:
            kind = "lost" if last < done else "doubled"
            yield Finding(kind, f"{last} changes of {done} that were answered")


def events(truth: Truth) -> Iterator[Finding]:
    """Each completed write is told of once."""
    told = Counter(
        row["type"]
        for row in truth.tables["events"]
        if row["type"].startswith("object.") and row["data"].get("collection") == COLLECTION
    )
    done = Counter(_KINDS[each.change] for several in _by_key(truth).values() for each in several)
    for kind in _KINDS.values():
        if told[kind] != done[kind]:
            name = "lost" if told[kind] < done[kind] else "doubled"
            yield Finding(name, f"{told[kind]} events {kind} of {done[kind]}")


def forgotten(truth: Truth) -> Iterator[Finding]:
    """Of deleted tenants nothing is left but ids and times."""
    for table in _EMPTIED:
        for row in truth.tables[table]:
            if row["gpt_id"] in truth.gone:
                yield Finding("left over", f"a row of {row['gpt_id']} in {table}")
    for row in truth.tables["documents"]:
        if row["gpt_id"] in truth.gone and row["deleted_at"] is None:
            yield Finding("left over", f"the document {row['document_id']} of {row['gpt_id']}")
    for key in truth.objects:
        if key.partition("/")[0] in truth.gone:
            yield Finding("left over", f"the bytes {key} of a deleted tenant")
    ended = {
        row["gpt_id"]
        for row in truth.tables["gpts"]
        if row["deleted_at"] is not None and (row["object_count"], row["byte_count"]) == (0, 0)
    }
    for gpt_id in truth.gone - ended:
        yield Finding("lost", f"the deletion of {gpt_id}")


def troubled(truth: Truth) -> Iterator[Finding]:
    """What a bug kept from being stored was a dead letter once, and is stored since."""
    letters = defaultdict(list)
    for row in truth.tables["dead_letters"]:
        letters[row["request_id"]].append((row["error"], row["state"]))
    for sent in truth.accepted:
        if sent.order.kind is Kind.PUT_TROUBLE:
            for row in truth.rows_of(sent):
                found = letters[row["request_id"]]
                if found != [("internal_error", "redriven")]:
                    kind = "doubled" if len(found) > 1 else "lost"
                    yield Finding(kind, f"{sent.order.kind} {sent.order.number}: {found}")


def writes(truth: Truth) -> int:
    """Returns: how many changes of objects were answered as done, ends by time among them."""
    return sum(map(len, _by_key(truth).values()))


def _by_key(truth: Truth) -> dict[str, list[Written]]:
    """Returns: the changes of each key in the order of the versions that they made."""
    found: dict[str, list[Written]] = defaultdict(list)
    for each in _written(truth):
        found[each.key].append(each)
    return {key: sorted(several, key=lambda one: one.version) for key, several in found.items()}


def _written(truth: Truth) -> Iterator[Written]:
    for sent in truth.sent:
        kind, number = sent.order.kind, sent.order.number
        for row in _completed(truth.rows_of(sent))[:1]:
            result = row["result"] or {}
            if kind is Kind.WRITE_BATCH:
                keys = [each["key"] for each in operations(number)]
                made = {each["key"]: each["version"] for each in result.get("results", ())}
                yield from (Written(key, made.get(key, 0), "created", number, kind) for key in keys)
            elif kind in _ON_OBJECTS:
                yield from _single(result, number, kind)
    for row in truth.ends:
        yield from _single(row["result"] or {}, None, None)


_ON_OBJECTS = frozenset(
    {Kind.PUT_OBJECT, Kind.MERGE_OBJECT, Kind.DROP_OBJECT, Kind.PUT_FOR_A_WHILE, Kind.PUT_TROUBLE}
)


def _single(result: dict[str, Any], number: int | None, kind: Kind | None) -> Iterator[Written]:
    one, change = result.get("object"), result.get("change")
    if one is not None and change in _KINDS and one["collection"] == COLLECTION:
        yield Written(one["key"], one["version"], change, number, kind)


def _rows(truth: Truth) -> list[Row]:
    own = [
        row for row in truth.tables["collections"]
        if row["name"] == COLLECTION and row["gpt_id"] == GPT
    ]  # fmt: skip
    return [each for each in truth.tables["objects"] if any(_in(each, row) for row in own)]


def _in(one: Row, collection: Row) -> bool:
    return bool(one["collection_id"] == collection["collection_id"])


def _completed(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["status"] == "completed"]
