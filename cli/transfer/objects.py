"""Brings collections and objects in: a definition each, then batches for each end user.

Those of one end user come in the order of their lines, on behalf of that end user.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cli.client import Gateway, Refusal
from cli.transfer.answers import concerns_all, settled
from cli.transfer.journal import Journal
from cli.transfer.layout import Json, ObjectLine, acting, objects_of
from cli.transfer.reading import Line, lines
from cli.transfer.report import Report
from schemas.writes import MAX_OPERATIONS, MAX_TTL_S

_BATCH_BYTES: Final = 900_000
_WAITING_BYTES: Final = 8 * 1024**2
"""What the batches that are not full yet may hold: end users write in turn, so they all wait."""

_ROUND_A_BODY: Final = 200
"""What an operation has beside what stands in its line."""

_REFUSED: Final = 400
_TAKEN_BEFORE: Final = "idempotency_key_reused"


@dataclass(slots=True)
class Batch:
    """Lines of one end user that go in one call; which these are follows from the file alone."""

    subject: str | None = None
    lines: list[Line[ObjectLine]] = field(default_factory=list)
    size: int = 0

    def takes(self, one: Line[ObjectLine]) -> bool:
        """Returns: whether a line still fits."""
        fits = self.size + len(one.raw) + _ROUND_A_BODY <= _BATCH_BYTES
        return not self.lines or (fits and len(self.lines) < MAX_OPERATIONS)

    def add(self, one: Line[ObjectLine]) -> None:
        """Take a line in."""
        self.lines.append(one)
        self.size += len(one.raw) + _ROUND_A_BODY

    def key(self, journal: Journal, name: str) -> str:
        """Returns: what tells the batch from others: its place and its lines to the byte."""
        digest = hashlib.sha256()
        for one in self.lines:
            digest.update(one.raw)
        return journal.key(name, self.lines[0].number, digest.hexdigest())


class Objects:
    """Brings collections into a tenant."""

    def __init__(self, gateway: Gateway, gpt_id: str, journal: Journal, report: Report) -> None:
        self._gateway = gateway
        self._path = f"/v1/gpts/{quote(gpt_id, safe='')}/collections"
        self._journal = journal
        self._report = report

    def bring(
        self, root: Path, settings: Json, twins: dict[int, int], tell: Callable[[int], object]
    ) -> None:
        """Define one collection and send its objects; `tell` gets how many lines are dealt with.

        Raises:
            Failure: the gateway does not answer, or refuses the key.
        """
        name = settings["name"]
        # Objects without an end would get the default one, so that this is set when they are in.
        if not self._defined(name, {**settings, "default_ttl_s": None}):
            return
        path = objects_of(name)
        for batch in batches(lines(root, path, ObjectLine)):
            self._bring(name, batch, twins)
            tell(len(batch.lines))
        if settings.get("default_ttl_s") is None or self._defined(name, settings):
            self._report.collections += 1

    def _defined(self, name: str, settings: Json) -> bool:
        try:
            settled(self._gateway, self._gateway.call("POST", self._path, body=settings))
        except Refusal as refusal:
            if concerns_all(refusal):
                raise
            self._report.fail(f"the collection {name}: {refusal}")
            return False
        return True

    def _bring(self, name: str, batch: Batch, twins: dict[int, int]) -> None:
        path = objects_of(name)
        key = batch.key(self._journal, path)
        before = self._journal.done(key)
        todo = [one for one in batch.lines if not before.times or one.number in before.failed]
        self._report.before += len(batch.lines) - len(todo)
        if not todo:
            return
        attempt = f"{key}-{before.times}"
        at = self._journal.sending(attempt)
        taken, failed = [], set()
        for one in todo:
            if one.number in twins:
                failed.add(one.number)
                self._fail(path, one.number, f"its key stands in line {twins[one.number]} already")
            elif one.read.expires_at is not None and one.read.expires_at <= at:
                self._report.expired += 1
            else:
                taken.append(one)
        if taken:
            failed |= self._send(name, taken, attempt, at, acting(batch.subject))
        self._journal.answered(key, frozenset(failed))

    def _send(
        self, name: str, taken: list[Line[ObjectLine]], attempt: str, at: datetime, query: Json
    ) -> set[int]:
        """Returns: the numbers of the lines that were refused."""
        body: Json = {"operations": [_operation(one.read, at) for one in taken]}
        path = f"{self._path}/{name}/batch"
        try:
            answer = self._gateway.call("POST", path, query=query, body=body, key=attempt)
            answer = settled(self._gateway, answer)
        except Refusal as refusal:
            return self._refused(name, taken, refusal)
        failed: set[int] = set()
        for one, result in zip(taken, answer["results"], strict=True):
            if result["status"] >= _REFUSED:
                failed.add(one.number)
                self._fail(objects_of(name), one.number, _reason(result["problem"]))
            else:
                self._report.objects += 1
        return failed

    def _refused(self, name: str, taken: list[Line[ObjectLine]], refusal: Refusal) -> set[int]:
        if concerns_all(refusal):
            raise refusal
        if refusal.code == _TAKEN_BEFORE:
            # The same lines came in before, with ends counted from another time: a copy of the
            # folder without the journal was imported already.
            self._report.before += len(taken)
            return set()
        first, last = taken[0].number, taken[-1].number
        which = f"{len(taken)} of the lines {first} to {last}"
        self._report.fail(f"{objects_of(name)}, {which}: {refusal}", len(taken))
        return {one.number for one in taken}

    def _fail(self, path: str, number: int, reason: str) -> None:
        self._report.fail(f"{path}, line {number}: {reason}")


def batches(found: Iterator[Line[ObjectLine]]) -> Iterator[Batch]:
    """Yield the lines of a file in batches of one end user, as large as one call may be."""
    waiting: dict[str | None, Batch] = {}
    held = 0
    for one in found:
        subject = one.read.subject
        batch = waiting.get(subject)
        if batch is not None and not batch.takes(one):
            held -= batch.size
            yield waiting.pop(subject)
        batch = waiting.setdefault(subject, Batch(subject))
        held -= batch.size
        batch.add(one)
        held += batch.size
        while held > _WAITING_BYTES:
            oldest = waiting.pop(next(iter(waiting)))
            held -= oldest.size
            yield oldest
    yield from waiting.values()


def _operation(one: ObjectLine, at: datetime) -> Json:
    named = {"op": "create"} if one.key is None else {"op": "put", "key": one.key}
    if one.expires_at is None:
        return {**named, "body": one.body}
    seconds = math.ceil((one.expires_at - at).total_seconds())
    return {**named, "body": one.body, "ttl_s": min(seconds, MAX_TTL_S)}


def _reason(problem: Json) -> str:
    errors = "; ".join(f"{one['pointer']} {one['detail']}" for one in problem.get("errors") or ())
    detail = f"{problem['detail']} {errors}" if errors else problem["detail"]
    return f"{detail} ({problem['code']})"
