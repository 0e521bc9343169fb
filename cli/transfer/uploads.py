"""Brings document types and documents in: they go through the pipeline again, then corrections."""

import json
from pathlib import Path
from typing import Final

from cli.batch import work_through
from cli.client import Gateway, Refusal
from cli.display import Display
from cli.tracking import REFUSED, Tracked
from cli.transfer.answers import concerns_all, settled
from cli.transfer.journal import Journal
from cli.transfer.layout import DocumentLine, Json, TypeLine, acting
from cli.transfer.reading import place
from cli.transfer.report import Report
from schemas.states import Status

_TYPE: Final = "type"


class Uploads:
    """Brings types and documents into a tenant."""

    def __init__(self, gateway: Gateway, journal: Journal, report: Report) -> None:
        self._gateway = gateway
        self._journal = journal
        self._report = report

    def define(self, types: list[TypeLine]) -> None:
        """Create or replace document types. Raises: Failure: the gateway does not answer."""
        for one in types:
            path = f"/v1/document-types/{one.name}"
            key = self._journal.key(path, json.dumps(one.definition, sort_keys=True))
            try:
                answer = self._gateway.call("PUT", path, body=one.definition, key=key)
                settled(self._gateway, answer)
            except Refusal as refusal:
                self._refused(f"the document type {one.name}", refusal)
            else:
                self._report.types += 1

    def bring(self, root: Path, documents: list[DocumentLine], shown: Display) -> None:
        """Send documents, follow them until they have ended, and correct what people corrected.

        Raises:
            Failure: the gateway does not answer.
        """
        tracked = [self._tracked(root, one) for one in documents]
        by_path = {each.path: one for each, one in zip(tracked, documents, strict=True)}
        work_through(
            self._gateway,
            tracked,
            lambda each: self._send(each, by_path[each.path]),
            shown,
            wait=True,
        )
        for each, one in zip(tracked, documents, strict=True):
            self._ended(each, one)

    def _tracked(self, root: Path, one: DocumentLine) -> Tracked:
        path = place(root, one.file or "")
        tracked = Tracked(
            name=one.filename or one.document_id, path=path, size_bytes=max(1, path.stat().st_size)
        )
        if one.document_id in self._journal.documents:
            tracked.accept(self._journal.documents[one.document_id])
        return tracked

    def _send(self, tracked: Tracked, one: DocumentLine) -> None:
        if tracked.path is None:
            return
        given = {"title": one.title, "type": one.corrected.get(_TYPE) or one.requested_type}
        fields = {name: value for name, value in given.items() if value}
        if one.metadata:
            fields["metadata"] = json.dumps(one.metadata, ensure_ascii=False)
        key = self._journal.key(one.document_id, one.sha256 or "")
        state = self._gateway.upload(
            tracked.path,
            fields,
            query=acting(one.subject),
            key=key,
            name=one.filename,
            progress=tracked.sent,
        )
        self._journal.uploaded(one.document_id, state["document_id"])
        tracked.accept(state["document_id"])

    def _ended(self, tracked: Tracked, one: DocumentLine) -> None:
        self._report.documents += tracked.status != REFUSED
        if not tracked.succeeded:
            reason = tracked.problem or tracked.status
            # What could not be read where it was, can hardly be read here.
            if tracked.status == REFUSED or one.status == Status.COMPLETED:
                self._report.fail(f"{one.document_id} ({tracked.name}): {reason}")
            return
        fields = {name: value for name, value in one.corrected.items() if name != _TYPE}
        if fields and tracked.document_id and one.document_id not in self._journal.corrected:
            self._correct(tracked.document_id, one, fields)

    def _correct(self, document_id: str, one: DocumentLine, fields: Json) -> None:
        path, exported = f"/v1/documents/{document_id}", one.document_id
        try:
            key = self._journal.key(exported, "corrections", json.dumps(fields, sort_keys=True))
            answer = self._gateway.call(
                "PATCH", path, query=acting(one.subject), body={"fields": fields}, key=key
            )
            settled(self._gateway, answer)
        except Refusal as refusal:
            self._refused(f"the corrections of {exported}, now {document_id}", refusal)
        else:
            self._journal.corrections_made(exported)
            self._report.corrected += 1

    def _refused(self, what: str, refusal: Refusal) -> None:
        if concerns_all(refusal):
            raise refusal
        self._report.fail(f"{what}: {refusal}")
