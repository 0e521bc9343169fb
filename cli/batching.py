"""Adding a folder as a batch, following it, and saying what became of it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console

from cli import folder as folders
from cli.client import Gateway, Json
from cli.errors import Failure
from cli.folder import Choice, File
from cli.progress import Shown, progress
from cli.sending import Sending, Sent
from cli.terminal import console, print_json

_ENDED: Final = frozenset({"completed", "cancelled"})
_PAUSE_S: Final = 2.0
_INTERRUPTED: Final = 130
"""Exit code of a command that Ctrl-C has ended, as shells have it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a folder is added.

    Attributes:
        choice: which of its files.
        defaults: what is said of all of them: type and metadata.
        again: whether to send what the tenant has already.
        wait: whether to follow the batch until it has ended.
    """

    choice: Choice
    defaults: Json
    again: bool = False
    wait: bool = True


def add(gateway: Gateway, folder: Path, plan: Plan, *, as_json: bool) -> None:
    """Upload a folder as a batch, or go on with it, and follow it; exit with 1 if any failed.

    Raises:
        Failure: there are no files, or the gateway does not answer.
    """
    paths = folders.paths(folder, plan.choice)
    if not paths:
        raise Failure(f"there is no such file in {folder}; hidden files are left out")
    with progress(console(), silent=as_json) as shown:
        sending = Sending(gateway, folder, plan.defaults, shown.step)
        sent = sending.result
        try:
            sending.send(_read(folder, paths, shown, sent), again=plan.again)
            if plan.wait and sent.batch is not None:
                sent.batch = follow(gateway, sent.batch["batch_id"], shown)
        except (KeyboardInterrupt, Failure) as error:
            print(_left(sent), file=sys.stderr, flush=True)
            if isinstance(error, Failure):
                raise
            raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        print_json(_as_json(folder, sent))
    else:
        _report(console(), sent, plan)
    if sent.refused or (plan.wait and sent.batch is not None and not went_well(sent.batch)):
        raise typer.Exit(1)


def follow(gateway: Gateway, batch_id: str, shown: Shown) -> Json:
    """Returns: a batch once it has ended, shown meanwhile. Raises: Failure: no answer."""
    while True:
        batch = gateway.call("GET", f"/v1/batches/{batch_id}")
        shown.stands(batch)
        if batch["state"] in _ENDED:
            return batch
        gateway.sleep(_PAUSE_S)


def went_well(batch: Json) -> bool:
    """Returns: whether none of its documents failed, and it was not cancelled."""
    return not batch["counts"]["failed"] and batch["state"] != "cancelled"


def print_failures(shown: Console, batch: Json) -> None:
    """Print why documents failed, each cause with its count and an example."""
    for one in batch["failures"]:
        example = one["example"] or {}
        named = example.get("path") or example.get("document_id") or ""
        line = f"{one['count']} failed: {example.get('detail') or ''} ({one['code']})"
        shown.print(
            f"{line}, such as {named}" if named else line,
            style="red",
            markup=False,
            soft_wrap=True,
        )


def _read(folder: Path, paths: Sequence[Path], shown: Shown, sent: Sent) -> list[File]:
    files = []
    for number, path in enumerate(paths, start=1):
        try:
            files.append(folders.read(folder, path))
        except OSError as error:
            sent.refused[path.relative_to(folder).as_posix()] = error.strerror or "unreadable"
        shown.step("read", number, len(paths))
    return files


def _report(shown: Console, sent: Sent, plan: Plan) -> None:
    words = [f"{sent.sent} uploaded"]
    words += [f"{sent.known} in the batch before"] if sent.known else []
    words += [f"{sent.skipped} in already (--again sends them)"] if sent.skipped else []
    shown.print(", ".join(words), soft_wrap=True)
    for name, reason in sent.refused.items():
        shown.print(f"not taken: {name}: {reason}", style="red", markup=False, soft_wrap=True)
    if sent.batch is None:
        return
    if plan.wait:
        print_failures(shown, sent.batch)
    print(f"actionstream batches show {sent.batch['batch_id']}")


def _left(sent: Sent) -> str:
    if sent.batch is None:
        return "nothing was sent; the same command begins anew"
    return (
        f"left at batch {sent.batch['batch_id']} with {sent.sent + sent.known} files in it; "
        "the same command goes on"
    )


def _as_json(folder: Path, sent: Sent) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "uploaded": sent.sent,
        "known": sent.known,
        "skipped": sent.skipped,
        "refused": [{"path": path, "reason": reason} for path, reason in sent.refused.items()],
        "batch": sent.batch,
    }
