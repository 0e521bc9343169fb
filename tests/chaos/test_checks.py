"""The checks of a chaos run notice what they are there to notice."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.document_types import builtin
from streams.prompts import render, type_list
from tests.chaos import checks, ledgers, stores
from tests.chaos.journal import Sent
from tests.chaos.model import digest
from tests.chaos.orders import Kind, Order
from tests.chaos.outside import Entry, Record
from tests.chaos.truth import Finding, Truth

NOW = datetime.now(UTC)


def truth() -> Truth:
    """What is found after one upload and one write of an object went well."""
    sent = Sent(Order(1, Kind.UPLOAD), "key", 1.0)
    sent.accepted_at, sent.request_id, sent.document_id = 2.0, "req", "doc"
    written = Sent(Order(5, Kind.PUT_OBJECT), "key 5", 1.0, accepted_at=2.0, request_id="put")
    return Truth(
        sent=[sent, written],
        tables={
            "requests": [row(request_id="req", correlation_id="req", document_id="doc",
                             kind="process-document", status="completed", problem=None,
                             completed_at=NOW, gpt_id="demo", result={}),
                         write("put", "k5", 1, "created")],
            "collections": [row(collection_id="col", name="chaos", object_count=1, byte_count=9,
                                sequence=1, gpt_id="demo", deleted_at=None)],
            "objects": [row(object_id="obj", collection_id="col", key="k5", version=1, sequence=1,
                            size_bytes=9, body={"chaos": 5}, gpt_id="demo", deleted_at=None)],
            "object_versions": [], "api_keys": [], "document_types": [],
            "gpts": [row(gpt_id="gone", deleted_at=NOW, object_count=0, byte_count=0)],
            "documents": [row(document_id="doc", gpt_id="demo", run_id="run", version=2,
                              status="completed", indexed_version=2, deleted_at=None,
                              s3_key="k", metadata={})],
            "runs": [row(run_id="run", document_id="doc", number=1, status="completed",
                         created_at=NOW)],
            "chunks": [row(run_id="run")],
            "steps": [row(run_id="run", stage="index", state="done", waiting_for=None)],
            "dead_letters": [],
            "events": [row(gpt_id="demo", sequence=1, type="document.indexed", object_id="doc",
                           data={"run_id": "run"}),
                       row(gpt_id="demo", sequence=2, type="object.created", object_id="obj",
                           data={"collection": "chaos"})],
            "event_counters": [row(gpt_id="demo", last=2)],
        },
        entries=[Entry("doc:0", "doc", 2)],
        objects={"k"},
        results=[result("req"), result("put")],
        events=[event(1), event(2)],
        letters=[],
        lag={},
        changes=[change(1)],
        gone=frozenset({"gone"}),
    )  # fmt: skip


def write(request_id: str, key: str, version: int, change: str) -> dict[str, Any]:
    """The request of a write that was completed."""
    one = {"key": key, "version": version, "collection": "chaos"}
    return row(request_id=request_id, correlation_id=request_id, document_id=None, gpt_id="demo",
               kind="write-collection", status="completed", problem=None, completed_at=NOW,
               result={"change": change, "object": one})  # fmt: skip


def change(sequence: int) -> Record:
    """A record of the feed of changes."""
    value = {"collection_id": "col", "changes": [{"sequence": sequence}]}
    return Record("object-changed", 0, 0, b"demo/chaos", json.dumps(value).encode())


def result(request_id: str) -> Record:
    """The answer to a request that was completed."""
    value = {"request_id": request_id, "status": "completed"}
    return Record("results", 0, 0, request_id.encode(), json.dumps(value).encode())


def event(sequence: int) -> Record:
    """The record of an event."""
    value = {"gptid": "demo", "sequence": sequence}
    return Record("events", 0, 0, b"demo", json.dumps(value).encode())


def row(**values: Any) -> dict[str, Any]:
    """A row."""
    return values


def found(looked_at: Truth) -> Iterator[Finding]:
    """All findings, of a copy that remembers nothing."""
    looked_at = replace(looked_at)
    for check in (
        *(checks.requests, checks.answers, checks.documents, checks.last_update, checks.index),
        *(checks.objects, ledgers.steps, ledgers.dead_letters, ledgers.results, ledgers.events),
        *(stores.objects, stores.counts, stores.feed, stores.events, stores.forgotten),
        stores.troubled,
    ):
        yield from check(looked_at)


def test_what_went_well_is_clean() -> None:
    """One upload, completed, indexed, told once."""
    assert list(found(truth())) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda it: it.tables["requests"].clear(), "lost"),
        (lambda it: it.tables["requests"].append({**it.tables["requests"][0]}), "doubled"),
        (lambda it: it.tables["requests"][0].update(status="processing"), "unfinished"),
        (lambda it: it.tables["requests"][0].update(status="failed"), "wrong"),
        (lambda it: it.tables["documents"].clear(), "lost"),
        (lambda it: it.tables["documents"][0].update(version=3), "doubled"),
        (lambda it: it.tables["documents"][0].update(indexed_version=1), "stale"),
        (lambda it: it.tables["runs"].append({**it.tables["runs"][0], "number": 2}), "doubled"),
        (lambda it: it.tables["steps"][0].update(state="waiting"), "unfinished"),
        (lambda it: it.tables["events"].append({**it.tables["events"][0]}), "doubled"),
        (lambda it: it.tables["events"][0].update(sequence=2), "doubled"),
        (lambda it: it.tables["events"].clear(), "lost"),
        (lambda it: it.tables["objects"].clear(), "lost"),
        (lambda it: it.tables["objects"][0].update(version=2), "doubled"),
        (lambda it: it.tables["objects"][0].update(body={"chaos": 17}), "wrong"),
        (lambda it: it.tables["objects"].append({**it.tables["objects"][0]}), "doubled"),
        (lambda it: it.tables["objects"][0].update(deleted_at=NOW), "wrong"),
        (lambda it: it.tables["objects"][0].update(collection_id="dropped"), "left over"),
        (lambda it: it.tables["collections"][0].update(object_count=2), "wrong"),
        (lambda it: it.tables["collections"][0].update(sequence=2), "lost"),
        (lambda it: it.tables["collections"][0].update(deleted_at=NOW), "left over"),
        (lambda it: it.tables["requests"][1]["result"]["object"].update(version=2), "lost"),
        (lambda it: it.changes.clear(), "lost"),
        (lambda it: it.changes.append(change(2)), "doubled"),
        (lambda it: it.tables["gpts"].clear(), "lost"),
        (lambda it: it.tables["api_keys"].append(row(gpt_id="gone")), "left over"),
        (lambda it: it.objects.add("gone/documents/x"), "left over"),
        (lambda it: it.tables["events"][1].update(type="object.updated"), "lost"),
        (lambda it: it.entries.clear(), "stale"),
        (lambda it: it.entries.append(Entry("doc:1", "doc", 2)), "stale"),
        (lambda it: it.entries.append(Entry("old:0", "old", 1)), "left over"),
        (lambda it: it.objects.clear(), "lost"),
        (lambda it: it.results.clear(), "lost"),
        (lambda it: it.events.clear(), "lost"),
        (lambda it: it.lag.update({"actionstream-intake parse": 1}), "unfinished"),
        (lambda it: it.sent[0].odd.append("500"), "wrong"),
    ],
)
def test_what_went_wrong_is_found(change: Callable[[Truth], object], kind: str) -> None:
    """Each fault on its own, in one of the stores or topics."""
    looked_at = truth()

    change(looked_at)

    assert kind in {finding.kind for finding in found(looked_at)}


def test_writes_of_one_key_are_played_again() -> None:
    """What a merge adds and a deletion takes away must show, and each makes one version."""
    looked_at = truth()
    for number, kind, what in (
        (6, Kind.MERGE_OBJECT, "updated"),
        (17, Kind.DROP_OBJECT, "deleted"),
    ):
        version = len(looked_at.changes) + 1
        sent = Sent(Order(number, kind), f"key {number}", 1.0, accepted_at=2.0)
        sent.request_id = f"write {number}"
        looked_at.sent.append(sent)
        looked_at.tables["requests"].append(write(sent.request_id, "k5", version, what))
        looked_at.results.append(result(sent.request_id))
        looked_at.changes.append(change(version))
        looked_at.tables["events"].append(
            row(gpt_id="demo", sequence=1 + version, type=f"object.{what}", object_id="obj",
                data={"collection": "chaos"})
        )  # fmt: skip
        looked_at.tables["event_counters"][0]["last"] = 1 + version
        looked_at.events.append(event(1 + version))
        looked_at.tables["collections"][0]["sequence"] = version
        looked_at.tables["objects"][0].update(version=version, sequence=version)
        if kind is Kind.MERGE_OBJECT:
            assert {finding.kind for finding in found(looked_at)} == {"wrong"}
            looked_at.tables["objects"][0]["body"] = {"chaos": 5, "m6": 6}
            assert list(found(looked_at)) == []
    assert {finding.kind for finding in found(looked_at)} == {"wrong"}

    looked_at.tables["objects"][0]["deleted_at"] = NOW
    looked_at.tables["collections"][0].update(object_count=0, byte_count=0)
    assert list(found(looked_at)) == []

    looked_at.tables["requests"].append(write("end", "t9", 1, "deleted"))
    assert {finding.kind for finding in found(looked_at)} >= {"lost"}


def test_what_met_a_bug_must_have_been_a_dead_letter_once() -> None:
    """And must be sent again since."""
    looked_at = truth()
    looked_at.sent[1].order = Order(5, Kind.PUT_TROUBLE)
    looked_at.tables["requests"][1]["result"]["object"]["key"] = "x5"
    looked_at.tables["objects"][0].update(key="x5", body={"chaos": 5, "trouble": True})
    assert {finding.kind for finding in found(looked_at)} == {"lost"}

    letter = row(topic="write-collection", partition=0, record_offset=7, dead_letter_id="dl",
                 record_key=b"demo/chaos", request_id="put", error="internal_error",
                 stage="collections", reason="…", state="redriven", gpt_id="demo")  # fmt: skip
    looked_at.tables["dead_letters"].append(letter)
    origin = {"origin-topic": "write-collection", "origin-partition": "0", "origin-offset": "7"}
    looked_at.letters.append(Record("write-collection-dlq", 0, 0, b"k", b"", origin))
    assert list(found(looked_at)) == []


def test_two_results_that_differ_are_found() -> None:
    """A record that came twice is fine, another content is not."""
    looked_at = truth()
    same = looked_at.results[0]

    looked_at.results.append(same)
    assert list(found(looked_at)) == []

    other = {"request_id": "req", "status": "failed"}
    looked_at.results.append(Record("results", 0, 1, b"req", json.dumps(other).encode()))
    assert {finding.kind for finding in found(looked_at)} == {"doubled"}


def test_a_bad_one_must_be_a_dead_letter_with_its_reason() -> None:
    """A record that cannot be decoded is one dead letter, and no letter comes from nothing."""
    looked_at = truth()
    sent = Sent(Order(2, Kind.UNDECODABLE, expected="invalid_record"), "bad", 1.0)
    sent.accepted_at, sent.place = 2.0, ("process-document", 0, 7)
    looked_at.sent.append(sent)
    assert {finding.kind for finding in found(looked_at)} == {"lost"}

    letter = row(topic="process-document", partition=0, record_offset=7, dead_letter_id="dl",
                 record_key=b"bad", request_id=None, error="invalid_record", stage="receive",
                 reason="…", state="dead", gpt_id=None)  # fmt: skip
    looked_at.tables["dead_letters"].append(letter)
    origin = {"topic": "process-document", "partition": "0", "offset": "7"}
    headers = {f"origin-{name}": value for name, value in origin.items()}
    looked_at.letters.append(Record("process-document-dlq", 0, 0, b"bad", b"", headers))
    assert list(found(looked_at)) == []

    letter["error"] = "internal_error"
    assert {finding.kind for finding in found(looked_at)} == {"wrong"}


def test_a_prompt_is_known_again_under_other_marks() -> None:
    """The marks round a document are random, and are no reason to count a repeated call as new."""

    def asked(words: str) -> bytes:
        types = type_list(list(builtin().values()))
        prompt = render("classify", 1, documents=[[words]], types=types)
        return json.dumps({"content": prompt.user}).encode()

    assert asked("a note") != asked("a note")
    assert digest(asked("a note")) == digest(asked("a note"))
    assert digest(asked("a note")) != digest(asked("a letter"))
