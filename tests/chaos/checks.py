"""What must hold of requests, documents, index and object store after everything was broken."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from tests.chaos.journal import Sent
from tests.chaos.orders import ADMIN, GPT, MAKES, MAY_FAIL, Kind
from tests.chaos.outside import Row
from tests.chaos.truth import FINAL, Finding, Truth

#: Two commits this close to one another may have been in either order.
_AT_ONCE = timedelta(seconds=1)


def requests(truth: Truth) -> Iterator[Finding]:
    """Every accepted order reached one final state, the right one, and nothing else is there."""
    known = set()
    for sent in truth.accepted:
        name = f"{sent.order.kind} {sent.order.number} ({sent.request_id or sent.key})"
        if sent.order.kind is Kind.UNDECODABLE:
            continue
        rows = truth.rows_of(sent)
        known |= {row["request_id"] for row in rows}
        if not rows:
            yield Finding("lost", f"{name} has no row")
        elif len(rows) > 1:
            yield Finding("doubled", f"{name} has {len(rows)} rows")
        elif rows[0]["status"] not in FINAL:
            yield Finding("unfinished", f"{name} is {rows[0]['status']}")
        elif not _as_expected(truth, sent, rows[0]):
            problem = (rows[0]["problem"] or {}).get("code")
            said = f"{name} is {rows[0]['status']} ({problem})"
            yield Finding("wrong", f"{said}; expected: {sent.order.expected or 'completed'}")
    known |= {row["request_id"] for sent in truth.sent for row in truth.rows_of(sent)}
    known |= {row["request_id"] for row in truth.ends}
    for row in truth.tables["requests"]:
        # A tenant that comes and goes has requests of its own, as has what removes it; and what
        # ended with a letter is sent again after the load.
        others = row["gpt_id"] in {*truth.gone, ADMIN} or row["kind"] == "redrive-dead-letters"
        if not others and row["request_id"] not in known:
            yield Finding("doubled", f"nobody sent {row['kind']} {row['request_id']}")


def _as_expected(truth: Truth, sent: Sent, row: Row) -> bool:
    status, problem = row["status"], (row["problem"] or {}).get("code")
    about = sent.target or row["document_id"]
    if about in truth.deleted and (
        status == "cancelled" or (status == "failed" and problem in {None, "not_found"})
    ):
        return True
    if status == "failed" and problem in MAY_FAIL.get(sent.order.kind, ()):
        return True
    if row["request_id"] in truth.excused and status == "failed":
        return True
    if sent.order.expected is not None:
        return bool(status == "failed" and problem == sent.order.expected)
    return bool(status == "completed")


def answers(truth: Truth) -> Iterator[Finding]:
    """No call was answered with an error of the server but 503; what was refused was refusable."""
    for sent in truth.sent:
        name = f"{sent.order.kind} {sent.order.number}"
        for odd in sent.odd:
            yield Finding("wrong", f"{name} was answered with {odd}")
        if sent.refused is not None and sent.refused != sent.order.expected:
            deleted = sent.target in truth.deleted and sent.refused in {"deleted", "not_found"}
            if not deleted and sent.refused not in MAY_FAIL.get(sent.order.kind, ()):
                yield Finding("wrong", f"{name} was refused: {sent.refused}")
        if sent.accepted_at is None and sent.refused is None:
            yield Finding("unfinished", f"{name} was never answered")


def documents(truth: Truth) -> Iterator[Finding]:
    """Each accepted document is there once, in its run's state, and each change shows once."""
    rows = {row["document_id"]: row for row in truth.tables["documents"]}
    runs = defaultdict(list)
    for run in truth.tables["runs"]:
        runs[run["document_id"]].append(run)
    updates = truth.completed_changes(Kind.UPDATE)
    again = truth.completed_changes(Kind.REPROCESS)
    overtaken = Counter(_overtaken(truth, runs))
    for sent in truth.accepted:
        if sent.order.kind not in MAKES or sent.order.expected is not None:
            continue
        for request in truth.rows_of(sent):
            row = rows.get(request["document_id"])
            if row is None:
                yield Finding("lost", f"no document of {sent.order.kind} {sent.order.number}")
            elif row["document_id"] not in truth.deleted:
                yield from _document(
                    row, runs[row["document_id"]], updates[row["document_id"]],
                    again[row["document_id"]], overtaken=overtaken[row["document_id"]],
                    excused=request["request_id"] in truth.excused,
                )  # fmt: skip
    known = {row["document_id"] for row in truth.tables["requests"]}
    known |= {name for name, row in rows.items() if row["gpt_id"] in truth.gone}
    for document_id in rows.keys() - known:
        yield Finding("doubled", f"nobody sent the document {document_id}")


def _overtaken(truth: Truth, runs: dict[str, list[Row]]) -> Iterator[str]:
    """Yield the document of each run that a newer one may have overtaken.

    Its answer then no longer speaks for the document, and raises no version.
    """
    extracted = {
        step["run_id"]: step["finished_at"]
        for step in truth.tables["steps"]
        if step["stage"] == "extract"
    }
    for document_id, several in runs.items():
        ordered = sorted(several, key=lambda run: int(run["number"]))
        for run, newer in pairwise(ordered):
            finished = extracted.get(run["run_id"])
            if finished is None or newer["created_at"] < finished + _AT_ONCE:
                yield document_id


def _document(
    row: Row, runs: list[Row], updates: int, again: int, *, overtaken: int, excused: bool
) -> Iterator[Finding]:
    name = row["document_id"]
    numbers = sorted(run["number"] for run in runs)
    if numbers != list(range(1, len(runs) + 1)):
        yield Finding("doubled", f"{name} has the runs {numbers}")
    if excused or any(run["status"] == "failed" for run in runs):
        return
    if len(runs) != 1 + again:
        yield Finding("doubled", f"{name} has {len(runs)} runs after {again} reprocessings")
    for run in runs:
        if run["status"] != "completed":
            yield Finding("unfinished", f"the run {run['run_id']} is {run['status']}")
    if row["status"] != "completed":
        yield Finding("unfinished", f"{name} is {row['status']}")
    most = 1 + len(runs) + updates
    if not most - overtaken <= row["version"] <= most:
        said = f"{name} has version {row['version']} after {len(runs)} runs, {updates} updates"
        yield Finding("doubled" if row["version"] > most else "lost", said)
    if row["indexed_version"] != row["version"]:
        yield Finding("stale", f"{name}: version {row['indexed_version']} of {row['version']}")


def last_update(truth: Truth) -> Iterator[Finding]:
    """A document's own data is what one of its completed updates says."""
    said = defaultdict(set)
    for sent in truth.accepted:
        if sent.order.kind is Kind.UPDATE and sent.target not in truth.deleted:
            rows = truth.rows_of(sent)
            if rows and rows[0]["status"] == "completed":
                said[sent.target].add(sent.order.number)
    for row in truth.tables["documents"]:
        numbers = said.get(row["document_id"])
        if numbers and row["metadata"].get("chaos") not in numbers:
            yield Finding("lost", f"{row['document_id']} has {row['metadata']} after {numbers}")


def index(truth: Truth) -> Iterator[Finding]:
    """The index holds each live document's chunks at its version, and nothing else."""
    chunks = Counter(row["run_id"] for row in truth.tables["chunks"])
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for entry in truth.entries:
        found[entry.document_id][entry.entry_id] = entry.version
    for row in truth.tables["documents"]:
        name = row["document_id"]
        entries = found.pop(name, {})
        if row["status"] != "completed":
            if entries and row["deleted_at"] is not None:
                yield Finding("left over", f"{name} is deleted and has {len(entries)} entries")
            continue
        wanted = {f"{name}:{number}" for number in range(chunks[row["run_id"]])}
        if entries.keys() != wanted or not wanted:
            yield Finding("stale", f"{name} has {sorted(entries)} in the index, not {len(wanted)}")
        elif set(entries.values()) != {row["version"]}:
            versions = sorted(set(entries.values()))
            yield Finding("stale", f"{name}: versions {versions} in the index of {row['version']}")
    for name in found:
        yield Finding("left over", f"the index has {name}, which is no document")


def objects(truth: Truth) -> Iterator[Finding]:
    """The bytes of each live document are there, and those of deleted ones are not."""
    for row in truth.tables["documents"]:
        if row["deleted_at"] is None and row["s3_key"] and row["s3_key"] not in truth.objects:
            yield Finding("lost", f"the bytes of {row['document_id']}")
    prefixes = {f"{GPT}/documents/{name}/": name for name in truth.deleted}
    for key in truth.objects:
        owner = prefixes.get("/".join(key.split("/")[:3]) + "/")
        if owner is not None:
            yield Finding("left over", f"the bytes {key} of a deleted document")
