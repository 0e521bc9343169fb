"""What the demonstration prints in the end: what was found, a search, and what to do next."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.client import Gateway
from cli.display import confidence
from cli.finding import Wanted, show_hits
from cli.settings import LOCAL_ENVIRONMENT, PROJECT
from cli.showing import fields_of
from cli.tracking import Tracked
from local import record
from local.record import Entry, State
from schemas.document_types import builtin

QUERY: Final = "how long is the notice period to end the contract"
UPLOADED: Final = "README.md"
ASKED: Final = "which versions of Python work"
_SHOWN_DOCUMENTS: Final = 4
_SHOWN_FIELDS: Final = 6


def print_report(shown: Console, gateway: Gateway, documents: Sequence[Tracked]) -> None:
    """Print everything.

    Raises:
        Failure: the gateway does not answer.
    """
    shown.print()
    shown.print(_summary(documents))
    shown.print()
    shown.print(_found(gateway, _telling(documents)))
    shown.print()
    shown.print(Text(f'actionstream search "{QUERY}"', style="bold"))
    page = gateway.call("POST", "/v1/search", body=Wanted(query=QUERY, limit=3).body())
    show_hits(shown, {**page, "has_more": False})
    shown.print()
    shown.print(steps(gateway.url, _worker(gateway.url)), markup=False, soft_wrap=True)


def _summary(documents: Sequence[Tracked]) -> Text:
    done = sum(one.succeeded for one in documents)
    ended = sum(one.ended for one in documents)
    review = sum(bool(one.detail.get("needs_review")) for one in documents if one.succeeded)
    line = Text(f"{done} of {len(documents)} completed", style="green")
    line.append(f", {review} of them need review", style="yellow" if review else "green")
    if failed := ended - done:
        line.append(f"; {failed} failed, see above and `make logs`", style="bold red")
    if left := len(documents) - ended:
        line.append(f"; {left} are still being worked on", style="yellow")
    return line


def _telling(documents: Iterable[Tracked]) -> list[Tracked]:
    """Returns: the best document of each of a few types, those with the most fields first."""
    best: dict[str, Tracked] = {}
    for one in documents:
        kind = one.detail.get("type")
        if not kind or not one.succeeded or one.detail.get("confidence") is None:
            continue
        if kind not in best or one.detail["confidence"] > best[kind].detail["confidence"]:
            best[kind] = one
    ranked = sorted(best.values(), key=lambda one: -_filled(one.detail))
    return ranked[:_SHOWN_DOCUMENTS]


def _filled(detail: dict[str, Any]) -> int:
    return sum(value is not None for value in detail["fields"].values())


def _found(gateway: Gateway, documents: Iterable[Tracked]) -> Table:
    made = Table("document", "class", "field", "value", box=None, header_style="bold")
    made.add_column("confidence", justify="right")
    for one in documents:
        kind = Text(str(one.detail["type"])).append(" ")
        first: list[Text | str] = [
            Text(one.name),
            kind.append(confidence(one.detail.get("type_confidence"))),
        ]
        for name, answer in _plain(one, fields_of(gateway, one.document_id or "")):
            value = " ".join(str(answer["value"]).split())
            line = Text(value, overflow="ellipsis", no_wrap=True)
            made.add_row(*(first or ["", ""]), name, line, confidence(answer["confidence"]))
            first = []
        made.add_section()
    return made


def _plain(one: Tracked, fields: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Returns: the first fields that have one value, in the order in which the type states them."""
    answers: dict[str, Any] = fields.get("answers") or {}
    known = builtin().get(str(one.detail["type"]))
    stated = known.fields.properties if known else answers
    found = [
        (name, answer)
        for name in stated
        if (answer := answers.get(name)) and not isinstance(answer, list)
    ]
    return [(name, answer) for name, answer in found if answer["value"] is not None][:_SHOWN_FIELDS]


def steps(url: str, worker: int | None) -> str:
    """Returns: where the API is, and numbered steps for a second terminal; no secret in them."""
    kill = f"kill -9 {worker}" if worker else "kill -9 <the pid of a worker from `make status`>"
    environment = _environment()
    return f"""\
The API is at {url}, described at {url}/docs. A call, ready to paste:

  source {environment} && curl -sS "$ACTIONSTREAM_GATEWAY_URL/v1/documents?limit=3" \\
    -H "Authorization: Bearer $ACTIONSTREAM_API_KEY"

In a second terminal, in this folder:

  1. source {environment} && source .venv/bin/activate
  2. upload a file of yours:   actionstream documents add {UPLOADED}
  3. search it:                actionstream search "{ASKED}"
  4. kill a worker and watch it come back with nothing lost:
                               {kill}; make status
  5. read the logs:            make logs, make logs NAME=worker-1, make status

`actionstream demo --clear` removes the samples, `make reset` everything."""


def _environment() -> str:
    found = PROJECT / LOCAL_ENVIRONMENT
    if Path(LOCAL_ENVIRONMENT).is_file() or not found.is_file():
        return str(LOCAL_ENVIRONMENT)
    return str(found)


def _worker(url: str) -> int | None:
    """Returns: the process id of a worker of the run that this gateway belongs to, if one runs."""
    supervisor, programs = record.read(PROJECT / LOCAL_ENVIRONMENT.parent)
    if supervisor is None or not _runs(supervisor):
        return None
    ports = {one.port for one in programs if one.name == "gateway"}
    if urlsplit(url).port not in ports:
        return None
    return next((one.pid for one in programs if _is_worker(one)), None)


def _is_worker(program: Entry) -> bool:
    return program.name.startswith("worker") and program.state is State.READY


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
