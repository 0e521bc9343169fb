"""Fetches documents for an export: what is known of each, what people said of it, and its bytes."""

import re
from pathlib import Path
from typing import Final

from cli.client import Gateway, Refusal
from cli.errors import Failure
from cli.transfer.answers import concerns_all
from cli.transfer.layout import FILES, ID_PATTERN, Json
from cli.transfer.reading import sha256
from cli.transfer.standing import Standing

_GONE: Final = frozenset({"deleted", "not_found"})
_LEFT_OUT: Final = frozenset({"timeline", "attachments", "links", "retry_after_s", "request_id"})
"""What a document says of its work where it was; it is of no use elsewhere."""

_STEM_CHARS: Final = 40
_ENDING_CHARS: Final = 10
"""Even of four bytes each, both fit into the 255 that file systems take, with `.part` behind."""


class Originals:
    """Fetches documents with their files; a file that is there whole is not fetched again."""

    def __init__(self, gateway: Gateway, standing: Standing, root: Path) -> None:
        self._gateway = gateway
        self._standing = standing
        self._root = root

    def document(self, document_id: str) -> Json | None:
        """Returns: the line of a document; none where it has been deleted meanwhile.

        Raises:
            Failure: the gateway does not answer.
        """
        if not re.fullmatch(ID_PATTERN, document_id):
            raise Failure(f"the gateway names a document {document_id!r}, which is no id")
        path = f"/v1/documents/{document_id}"
        try:
            detail = self._gateway.call("GET", path)
            corrections = self._gateway.call("GET", f"{path}/fields")["corrections"]
            runs = self._gateway.call("GET", f"{path}/runs")["items"]
        except Refusal as refusal:
            if refusal.code in _GONE:
                return None
            raise
        current = [run["requested_type"] for run in runs if run["current"]]
        return {
            **{name: value for name, value in detail.items() if name not in _LEFT_OUT},
            "requested_type": current[0] if current else None,
            "corrections": corrections,
            "file": self._file(path, detail) if detail["sha256"] else None,
        }

    def _file(self, path: str, detail: Json) -> str | None:
        """Returns: where the bytes are within the folder; none where they could not be had."""
        name = f"{FILES}/{detail['document_id']}/{safe_name(detail['filename'])}"
        target = self._root / name
        if target.exists() and sha256(target) == detail["sha256"]:
            return name
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{target.name}.part")
        reason = self._fetched(path, fresh, detail["sha256"])
        if reason is None:
            fresh.replace(target)
            return name
        fresh.unlink(missing_ok=True)
        trouble = f"{detail['document_id']} is exported without its file: {reason}"
        if trouble not in self._standing.troubles:
            self._standing.troubles.append(trouble)
        return None

    def _fetched(self, path: str, target: Path, digest: str) -> str | None:
        """Returns: why the bytes could not be had; none where they are in the file."""
        try:
            found = self._gateway.download(f"{path}/content", target)
        except Refusal as refusal:
            if concerns_all(refusal):
                raise
            return str(refusal)
        return None if found == digest else "its bytes are not those that were stored"


def safe_name(name: str | None) -> str:
    """Returns: a file's name as any file system takes it; the document's line has the true one."""
    plain = re.sub(r"[^\w.-]", "_", name or "").lstrip(".")
    ending = Path(plain).suffix
    if len(ending) > _ENDING_CHARS:
        ending = ""
    return plain.removesuffix(ending)[:_STEM_CHARS] + ending or "original"
