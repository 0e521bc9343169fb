"""The sample documents: through the gateway once, however often the demonstration is repeated.

They are known by their metadata, so that what is there already is shown and not sent again.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cli import report
from cli.batch import work_through
from cli.client import Gateway, Refusal
from cli.display import display
from cli.errors import Failure
from cli.settings import PROJECT
from cli.terminal import console
from cli.tracking import Tracked
from schemas.states import Status

FOLDER: Final = PROJECT / "examples" / "documents"
WHERE: Final = json.dumps({"metadata.sample": True})
_IMAGES: Final = frozenset({".jpg", ".png", ".tiff"})
_DELETED: Final = "deleted"
_FAILED: Final = frozenset({Status.FAILED, Status.CANCELLED})


def run(gateway: Gateway, *, limit_s: float, folder: Path = FOLDER) -> None:
    """Put the samples through, show them on their way, and print what was found.

    Raises:
        Failure: there are no samples, or the gateway does not answer.
    """
    shown = console()
    documents = _with_known(gateway, samples(folder))
    shown.print(f"{len(documents)} sample documents go through {gateway.url}")
    work_through(
        gateway,
        documents,
        lambda one: _send(gateway, one),
        display(shown),
        wait=True,
        limit_s=limit_s,
    )
    report.print_report(shown, gateway, documents)


def clear(gateway: Gateway) -> None:
    """Delete every document that the demonstration added.

    Raises:
        Failure: the gateway does not answer.
    """
    known = list(_listed(gateway))
    for one in known:
        _delete(gateway, one["document_id"])
    print(f"deleted {len(known)} sample documents")


def samples(folder: Path) -> list[Tracked]:
    """Returns: the documents that have their truth beside them, those first that are read fastest.

    Raises:
        Failure: there are none.
    """
    found = [
        Tracked(name=path.name, path=path, size_bytes=max(1, path.stat().st_size))
        for path in sorted(folder.glob("*"))
        if path.suffix != ".json" and path.with_suffix(".json").is_file()
    ]
    if not found:
        raise Failure(f"there are no samples in {folder}; run this in a clone of the project")
    return sorted(found, key=_slowness)


def _slowness(one: Tracked) -> tuple[bool, int]:
    # Recognising letters in pictures takes a hundred times as long as reading text.
    scanned = Path(one.name).suffix in _IMAGES or one.name.startswith("scan-")
    return scanned, one.size_bytes


def _with_known(gateway: Gateway, documents: list[Tracked]) -> list[Tracked]:
    """Returns: the documents, with what the gateway knows of those that it has already.

    What failed in an earlier run is removed, so that it is tried again and not shown for ever.
    """
    known = {}
    for found in _listed(gateway):
        if found["status"] in _FAILED:
            _delete(gateway, found["document_id"])
        else:
            known[found["metadata"].get("sha256")] = found["document_id"]
    for one in documents:
        if document_id := known.get(_digest(one)):
            one.accept(document_id)
    return documents


def _delete(gateway: Gateway, document_id: str) -> None:
    try:
        gateway.call("DELETE", f"/v1/documents/{document_id}")
    except Refusal as refusal:
        # Someone else was faster.
        if refusal.code != _DELETED:
            raise


def _listed(gateway: Gateway) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        query = {"where": WHERE, "limit": 100} | ({"cursor": cursor} if cursor else {})
        page = gateway.call("GET", "/v1/documents", query=query)
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _send(gateway: Gateway, one: Tracked) -> None:
    """Upload a sample under a key made of its content, so that a repeat finds the first one.

    Where that one was deleted since, the key is made anew from the key before it.
    """
    if one.path is None:
        return
    digest = _digest(one)
    fields = {"metadata": json.dumps({"sample": True, "sha256": digest})}
    key = f"sample-{digest}"
    while True:
        state = gateway.upload(one.path, fields, key=key, progress=one.sent)
        try:
            one.learn(gateway.call("GET", f"/v1/documents/{state['document_id']}"))
        except Refusal as refusal:
            if refusal.code != _DELETED:
                raise
            one.sent(0)
            key = f"sample-{hashlib.sha256(key.encode()).hexdigest()}"
        else:
            return


def _digest(one: Tracked) -> str:
    return "" if one.path is None else hashlib.sha256(one.path.read_bytes()).hexdigest()
