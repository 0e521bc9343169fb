"""What must hold of a collection and its objects after everything was broken."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.orders import BATCH, Kind, object_key, operations
from tests.chaos.truth import Finding, Truth


def objects(truth: Truth) -> Iterator[Finding]:
    """Each completed write shows in its object once: as one version, and as one of the bodies."""
    puts: dict[str, set[int]] = defaultdict(set)
    made: set[str] = set()
    for sent in _completed(truth, Kind.PUT_OBJECT):
        puts[object_key(sent)].add(sent)
    for sent in _completed(truth, Kind.WRITE_BATCH):
        made.update(each["key"] for each in operations(sent))
    rows = {row["key"]: row for row in truth.tables["objects"]}
    for key, numbers in puts.items():
        row = rows.get(key)
        if row is None or row["version"] < len(numbers):
            held = None if row is None else row["version"]
            yield Finding("lost", f"{key} has version {held} after {len(numbers)} writes")
        elif row["version"] > len(numbers):
            yield Finding("doubled", f"{key}: version {row['version']} of {len(numbers)} writes")
        elif row["body"].get("chaos") not in numbers:
            yield Finding("wrong", f"{key} holds {row['body']}")
    for key in made - rows.keys():
        yield Finding("lost", f"the object {key} of a batch")
    for key in rows.keys() - made - puts.keys():
        yield Finding("doubled", f"nobody wrote the object {key}")
    if len(truth.tables["objects"]) != len(rows):
        yield Finding("doubled", "two objects have one key")


def counts(truth: Truth) -> Iterator[Finding]:
    """The collection counts its objects, bytes and changes exactly, and numbers changes once."""
    found = truth.tables["objects"]
    for row in truth.tables["collections"]:
        own = [each for each in found if each["collection_id"] == row["collection_id"]]
        held = (row["object_count"], row["byte_count"], row["sequence"])
        true = (
            len(own),
            sum(each["size_bytes"] for each in own),
            sum(each["version"] for each in own),
        )
        if held != true:
            yield Finding("wrong", f"{row['name']} counts {held} objects, bytes, changes of {true}")
        if len({each["sequence"] for each in own}) != len(own):
            yield Finding("doubled", f"a number of a change in {row['name']}")


def events(truth: Truth) -> Iterator[Finding]:
    """Each completed write is told of once."""
    told = Counter(
        row["type"] for row in truth.tables["events"] if row["type"].startswith("object.")
    )
    puts = len(set(map(object_key, _completed(truth, Kind.PUT_OBJECT))))
    writes = len(_completed(truth, Kind.PUT_OBJECT))
    created = puts + BATCH * len(_completed(truth, Kind.WRITE_BATCH))
    for kind, wanted in (("object.created", created), ("object.updated", writes - puts)):
        if told[kind] != wanted:
            name = "lost" if told[kind] < wanted else "doubled"
            yield Finding(name, f"{told[kind]} events {kind} of {wanted}")


def _completed(truth: Truth, kind: Kind) -> list[int]:
    """Returns: the numbers of the orders of a kind that were completed."""
    return [
        each.order.number
        for each in truth.accepted
        if each.order.kind is kind
        and any(row["status"] == "completed" for row in truth.rows_of(each))
    ]
