"""A folder becomes a batch: what is not in yet is uploaded, and the same command goes on later.

Nothing is kept on this machine. A batch that is not finished bears the folder's mark in its
metadata, and each file has a key made of its path and bytes, so that whoever runs the command
again finds both.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cli.client import Gateway, Json, Refusal
from cli.errors import Failure
from cli.folder import File, calls, key_of, mark
from schemas.states import Status

MARK: Final = "folder"
_AT_ONCE: Final = 3
_ASKED: Final = 100
_IN_MEMORY_BYTES: Final = 16 * 1024**2
_IN: Final = [status for status in Status if status not in {Status.FAILED, Status.CANCELLED}]
_OF_FILES: Final = frozenset({400, 413, 422})
"""Statuses with which a call is refused because of a file in it."""


@dataclass(slots=True)
class Sent:
    """What became of the files: `sent` are in the batch, `skipped` were in the tenant before."""

    batch: Json | None = None
    known: int = 0
    skipped: int = 0
    sent: int = 0
    refused: dict[str, str] = field(default_factory=dict)


class Sending:
    """Sends one folder; `told` hears how many files have been looked up or uploaded, of all."""

    def __init__(
        self,
        gateway: Gateway,
        folder: Path,
        defaults: Json,
        told: Callable[[str, int, int], None],
    ) -> None:
        self._gateway = gateway
        self._folder = folder
        self._defaults = defaults
        self._told = told
        self.result = Sent()

    def send(self, files: Sequence[File], *, again: bool) -> None:
        """Upload what is not in yet, and close the batch.

        Args:
            files: all files of the folder.
            again: whether to send bytes too that the tenant has already.

        Raises:
            Failure: the gateway does not answer, or the batch takes no more.
        """
        unfinished = list(self._unfinished())
        filled = [one for one in unfinished if one["documents"]]
        there = {name for one in filled for name in self._names_in(one, files)}
        rest = [file for file in files if file.name not in there]
        self.result.known = len(files) - len(rest)
        if not again:
            fresh = self._without_known(rest)
            self.result.skipped = len(rest) - len(fresh)
            rest = fresh
        opened = next((one for one in unfinished if one["state"] == "open"), None)
        if opened is None and rest:
            opened = self._new()
        self.result.batch = opened or next(iter(unfinished), None)
        if opened is not None:
            self._upload(opened["batch_id"], rest)
            self._close(opened["batch_id"])

    def _unfinished(self) -> Iterator[Json]:
        """Yield the batches of this folder that have not ended, the newest first."""
        query: Json = {"state": ["open", "closed"], "limit": _ASKED}
        for one in pages(self._gateway, "/v1/batches", query):
            if one["metadata"].get(MARK) == mark(self._folder):
                yield one

    def _names_in(self, batch: Json, files: Sequence[File]) -> Iterator[str]:
        path = f"/v1/batches/{batch['batch_id']}/documents"
        for some in _sliced(files):
            query = {"key": [file.key for file in some], "limit": _ASKED}
            yield from (one["path"] for one in pages(self._gateway, path, query))

    def _without_known(self, files: Sequence[File]) -> list[File]:
        """Returns: one file for each content that the tenant does not have, or only failed at."""
        first = {file.sha256: file for file in reversed(files)}
        known: set[str] = set()
        has_any = self._gateway.call("GET", "/v1/documents", query={"limit": 1})["items"]
        for done, some in enumerate(_sliced(list(first) if has_any else [])):
            self._told("looked up", done * _ASKED, len(first))
            where = {"sha256": {"in": some}, "status": {"in": _IN}}
            query = {"where": json.dumps(where), "limit": _ASKED}
            for one in pages(self._gateway, "/v1/documents", query):
                known.add(one["sha256"])
                # Of some contents there may be thousands of copies.
                if known.issuperset(some):
                    break
        if first:
            self._told("looked up", len(first), len(first))
        return [file for file in files if first[file.sha256] is file and file.sha256 not in known]

    def _new(self) -> Json:
        body = {
            "name": self._folder.resolve().name[:200],
            "metadata": {MARK: mark(self._folder)},
            "close": False,
        }
        change = self._gateway.call("POST", "/v1/batches", body=body)
        self._settle(change)
        return self._gateway.call("GET", f"/v1/batches/{change['batch_id']}")

    def _upload(self, batch_id: str, files: Sequence[File]) -> None:
        total, left = len(files), list(calls(files))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            waiting: set[Future[int]] = set()
            try:
                while left or waiting:
                    while left and len(waiting) < _AT_ONCE:
                        waiting.add(pool.submit(self._add, batch_id, left.pop(0)))
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    self.result.sent += sum(one.result() for one in done)
                    self._told("uploaded", self.result.sent + len(self.result.refused), total)
            except BaseException:
                # Above all Ctrl-C: uploads that wait for a busy gateway would hold the command up.
                self._gateway.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _add(self, batch_id: str, files: Sequence[File]) -> int:
        """Send some files; where the call is refused because of one, find out which.

        Returns: how many were taken.
        """
        try:
            change = self._gateway.send_form(
                f"/v1/batches/{batch_id}/documents",
                lambda stack: self._parts(files, stack),
                key=key_of(files, batch_id),
            )
            self._settle(change)
        except (Refusal, OSError) as error:
            if isinstance(error, Refusal) and error.status not in _OF_FILES:
                raise
            if len(files) > 1:
                half = len(files) // 2
                return self._add(batch_id, files[:half]) + self._add(batch_id, files[half:])
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.result.refused[files[0].name] = reason or "it cannot be read"
            return 0
        return len(files)

    def _parts(self, files: Sequence[File], stack: contextlib.ExitStack) -> list[Any]:
        lines = [{"path": file.name, "key": file.key} for file in files]
        return [
            ("manifest", (None, json.dumps(lines))),
            ("defaults", (None, json.dumps(self._defaults))),
            *(("files", (file.name, _content(file, stack))) for file in files),
        ]

    def _close(self, batch_id: str) -> None:
        self._settle(self._gateway.call("POST", f"/v1/batches/{batch_id}/close"))

    def _settle(self, change: Json) -> None:
        """Wait for a change to a batch. Raises: Failure: it failed."""
        final = self._gateway.followed(change)
        problem = final.get("problem")
        if problem:
            raise Failure(f"{problem['detail']} ({problem['code']})")


def pages(gateway: Gateway, path: str, query: Json) -> Iterator[Json]:
    """Yield the items of a list, page after page. Raises: Failure: the gateway does not answer."""
    cursor = None
    while True:
        page = gateway.call("GET", path, query={**query, **({"cursor": cursor} if cursor else {})})
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _content(file: File, stack: contextlib.ExitStack) -> Any:  # noqa: ANN401 - bytes or a file
    # So many files are not to be open at once; a large one is alone, and streamed.
    if file.size_bytes <= _IN_MEMORY_BYTES:
        return file.path.read_bytes()
    return stack.enter_context(file.path.open("rb"))


def _sliced(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _ASKED):
        yield items[start : start + _ASKED]
