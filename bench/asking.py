"""From a file to fields, by the real parts: parsers, OCR, prompts, an Ollama API, extraction.

Keeps the pages of each file in a cache folder, because reading scans takes most of the time.
"""

import contextlib
import hashlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter

from bench.cases import Case
from schemas.document_types import DocumentType, builtin
from streams import parsing
from streams.answers import Answers
from streams.clients.ollama import ModelAnswer, Models
from streams.errors import RecordTrouble
from streams.extraction import Extracted, Reading, assemble, estimate_tokens, split
from streams.fields import extract_fields
from streams.parsing.detect import detect
from streams.parsing.limits import Limits
from streams.parsing.ocr import engine, page_from_image
from streams.parsing.page import Page
from streams.parsing.parse import parse_part
from streams.prompts import render, type_list
from streams.stage import Work

_PAGES = TypeAdapter(tuple[Page, ...])
_BUDGET_S = 600.0
_START_S = 120.0
_NO_LIMIT = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a document: its pages, the type it was taken for, fields by its true type.

    `trouble` says why a model gave no usable answer.
    """

    pages: tuple[Page, ...]
    type: str
    type_confidence: float
    extracted: Extracted
    trouble: str | None = None


def read_pages(path: Path, cache: Path, ocr: str) -> tuple[Page, ...]:
    """The pages of a file, from the cache where the same parsers have read the same bytes."""
    key = hashlib.sha256(path.read_bytes() + _parser_version() + ocr.encode()).hexdigest()
    kept = cache / "pages" / f"{key}.json"
    if kept.exists():
        return _PAGES.validate_json(kept.read_bytes())
    pages = tuple(_parse(path, ocr))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(_PAGES.dump_json(pages))
    return pages


def _parser_version() -> bytes:
    """Changes whenever the source of the parsers does."""
    [root] = parsing.__path__
    sources = sorted(Path(root).rglob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()


def _parse(path: Path, ocr: str) -> Iterator[Page]:
    opened = engine(ocr, 2)
    reader = None if opened is None else partial(page_from_image, engine=opened)
    kind, first = detect(path, path.name), 1
    while True:
        part = parse_part(
            path, kind, first_page=first, budget_s=_BUDGET_S, limits=Limits(), reader=reader
        )
        yield from part.pages
        if part.next_page is None:
            return
        first = part.next_page


async def classify(models: Models, pages: Sequence[Page]) -> tuple[str, float]:
    """The type that the model takes a document for, and its confidence."""
    types = list(builtin().values())
    candidate = {
        "type": "object",
        "properties": {
            "type": {"enum": [one.name for one in types]},
            "confidence": {"type": "number"},
        },
        "required": ["type", "confidence"],
    }
    schema = {
        "type": "object",
        "properties": {"candidates": {"type": "array", "items": candidate}},
        "required": ["candidates"],
    }
    listed = type_list(types)
    empty = render("classify", 1, documents=[[""]], types=listed)
    room = models.context_tokens - estimate_tokens(empty.system + empty.user)
    prompt = render("classify", 1, documents=[split(pages, room)[0].texts], types=listed)
    answer = await models.answer(system=prompt.system, user=prompt.user, schema=schema)
    ranked = sorted(answer.value["candidates"], key=lambda one: -one["confidence"])
    return str(ranked[0]["type"]), float(ranked[0]["confidence"])


@dataclass(frozen=True, slots=True)
class _Asked:
    """Stands for the stage's store of answers: asks each time and keeps nothing."""

    models: Models

    @property
    def context_tokens(self) -> int:
        return self.models.context_tokens

    @property
    def chat_model(self) -> str:
        return self.models.chat_model

    async def ask(self, _: object, **question: Any) -> ModelAnswer:  # noqa: ANN401 - as Answers.ask
        prompt = question["prompt"]
        answer = await self.models.answer(
            system=prompt.system, user=prompt.user, schema=question["schema"]
        )
        question["check"](answer)
        return answer


async def extract(
    models: Models, document_type: DocumentType, pages: Sequence[Page]
) -> tuple[Extracted, str | None]:
    """The fields of a document by a type as the stage reads them, and why there are none."""
    answers = cast("Answers", _Asked(models))
    try:
        found = await extract_fields(
            answers, cast("Work", None), document_type, list(pages), budget=_NO_LIMIT
        )
    except RecordTrouble as trouble:
        nothing = assemble(document_type, [Reading({})], pages, model=models.chat_model)
        return nothing, str(trouble)
    if found is None:
        raise RuntimeError("the time for one document ran out")
    return found, None


async def work(models: Models, case: Case, cache: Path, ocr: str) -> Outcome:
    """One document from its file to its fields."""
    pages = read_pages(case.path, cache, ocr)
    taken_for, sure = await classify(models, pages)
    extracted, trouble = await extract(models, builtin()[case.type], pages)
    return Outcome(pages, taken_for, sure, extracted, trouble)


@contextlib.contextmanager
def local_models(log: Path) -> Iterator[str]:
    """Starts the local model server on a free port; its URL. It is ended at the end.

    Args:
        log: the file that its output goes to.

    Raises:
        TimeoutError: it is not ready after two minutes; the log tells why.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "local.models", "--port", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as server,
    ):
        try:
            _await_ready(url, server, log)
            yield url
        finally:
            server.terminate()


def _await_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api/version", timeout=1):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise TimeoutError(f"the local model server did not start, see {log}")
