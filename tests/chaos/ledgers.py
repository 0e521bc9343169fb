"""What must hold of steps, dead letters, results, events and topics after all was broken."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.orders import Kind
from tests.chaos.outside import Row, decoded
from tests.chaos.truth import FINAL, Finding, Truth

_SETTLED = frozenset({"done", "dead", "cancelled"})
#: An event of these kinds is told once for each run.
_ONCE_A_RUN = {"completed": "document.indexed", "failed": "document.failed"}


def steps(truth: Truth) -> Iterator[Finding]:
    """Every step is settled, and every record is read."""
    for row in truth.tables["steps"]:
        if row["state"] not in _SETTLED:
            name = f"{row['stage']} of {row['run_id']}"
            yield Finding("unfinished", f"{name} is {row['state']} for {row['waiting_for']}")
    for name, count in truth.lag.items():
        yield Finding("unfinished", f"{count} records unread by {name}")


def dead_letters(truth: Truth) -> Iterator[Finding]:
    """The bad ones are dead letters with the right reason, once each, and no others are."""
    rows = truth.tables["dead_letters"]
    by_place = {(row["topic"], row["partition"], row["record_offset"]): row for row in rows}
    by_request = defaultdict(list)
    for row in rows:
        by_request[row["request_id"]].append(row)
    expected = set()
    bad = {sent.key.encode() for sent in truth.accepted if sent.order.expected is not None}
    for sent in truth.accepted:
        if sent.order.expected is None:
            continue
        name = f"{sent.order.kind} {sent.order.number}"
        if sent.place is not None:
            letters = [by_place[sent.place]] if sent.place in by_place else []
        else:
            letters = by_request[sent.request_id]
        expected |= {row["dead_letter_id"] for row in letters}
        if len(letters) != 1:
            kind = "doubled" if letters else "lost"
            yield Finding(kind, f"{name} has {len(letters)} dead letters")
        elif letters[0]["error"] != sent.order.expected:
            yield Finding("wrong", f"{name} died of {letters[0]['error']}")
    for row in rows:
        # A producer that had no answer in time may have sent a record twice, and of a tenant that
        # is deleted nothing is taken in.
        excused = row["record_key"] in bad or row["gpt_id"] in truth.gone
        if excused or row["request_id"] in truth.gave_up:
            continue
        if row["dead_letter_id"] not in expected:
            said = f"{row['stage']}: {row['error']}: {row['reason']} ({row['request_id']})"
            yield Finding("wrong", f"a dead letter that should not be: {said}")
    yield from _letters_published(truth, rows)


def _letters_published(truth: Truth, rows: list[Row]) -> Iterator[Finding]:
    published = {
        (each.headers.get("origin-topic"), each.headers.get("origin-partition"),
         each.headers.get("origin-offset"))
        for each in truth.letters
    }  # fmt: skip
    for row in rows:
        place = (row["topic"], str(row["partition"]), str(row["record_offset"]))
        if place not in published:
            yield Finding("lost", f"the dead letter's record of {place}")


def results(truth: Truth) -> Iterator[Finding]:
    """Every final request has a result on the topic, and never two that differ."""
    said = defaultdict(set)
    for record in truth.results:
        value = decoded(record)
        if value["status"] in FINAL:
            said[value["request_id"]].add(json.dumps(value, sort_keys=True))
    for row in truth.tables["requests"]:
        contents = said[row["request_id"]]
        name = f"{row['kind']} {row['request_id']}"
        if not contents:
            yield Finding("lost", f"the result of {name}")
        elif row["request_id"] in truth.gave_up:
            # Its failure was told, and then what came of sending it again.
            continue
        elif len(contents) > 1:
            statuses = sorted(json.loads(each)["status"] for each in contents)
            yield Finding("doubled", f"{name} has {len(contents)} different results: {statuses}")
        elif json.loads(next(iter(contents)))["status"] != row["status"]:
            yield Finding("wrong", f"the result of {name} is not {row['status']}")


def events(truth: Truth) -> Iterator[Finding]:
    """Events are numbered without gaps or repeats, told once, and each is on the topic."""
    rows = truth.tables["events"]
    numbers = defaultdict(list)
    for row in rows:
        numbers[row["gpt_id"]].append(row["sequence"])
    last = {row["gpt_id"]: row["last"] for row in truth.tables["event_counters"]}
    for gpt_id, given in numbers.items():
        if sorted(given) != list(range(1, len(given) + 1)) or last.get(gpt_id) != len(given):
            yield Finding("doubled", f"the events of {gpt_id} are not 1 to {last.get(gpt_id)}")
    published = {(value["gptid"], value["sequence"]) for value in map(decoded, truth.events)}
    for row in rows:
        if (row["gpt_id"], row["sequence"]) not in published:
            yield Finding("lost", f"the record of event {row['sequence']} ({row['type']})")
    yield from _told_once(truth, rows)


def _told_once(truth: Truth, rows: list[Row]) -> Iterator[Finding]:
    told = Counter((row["type"], row["data"].get("run_id")) for row in rows)
    for (kind, run_id), count in told.items():
        if run_id is not None and count > 1:
            yield Finding("doubled", f"{count} events {kind} of the run {run_id}")
    for run in truth.tables["runs"]:
        kind = _ONCE_A_RUN.get(run["status"])
        if kind is not None and not told[kind, run["run_id"]]:
            yield Finding("lost", f"the event {kind} of the run {run['run_id']}")
    gone = Counter(row["object_id"] for row in rows if row["type"] == "document.deleted")
    for name, count in truth.completed_changes(Kind.DELETE).items():
        if not 1 <= gone[name] <= count:
            kind = "doubled" if gone[name] else "lost"
            yield Finding(kind, f"{gone[name]} events of {count} deletions of {name}")
    changed = Counter(row["object_id"] for row in rows if row["type"] == "document.updated")
    for name, count in truth.completed_changes(Kind.UPDATE).items():
        if changed[name] != count:
            kind = "doubled" if changed[name] > count else "lost"
            yield Finding(kind, f"{changed[name]} events of {count} updates of {name}")
