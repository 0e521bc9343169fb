"""How many pages a second are parsed, with text and scanned, in process and through the pool.

Makes its own documents in a temporary folder; writes a table, and JSON where asked to. Each case
runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pypdfium2 as pdfium
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from streams.parsing.detect import PDF
from streams.parsing.limits import MEBIBYTE, Limits
from streams.parsing.parse import parse_part
from streams.parsing.pool import ParserPool
from streams.parsing.reading import open_reader

SCAN_DPI = 200
TIMEOUT_S = 600.0
CHILD_MEMORY_BYTES = 3 * 1024 * MEBIBYTE
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
"""The unit of `ru_maxrss`."""


@dataclass(frozen=True, slots=True)
class Case:
    """What to parse and how; `processes` is 0 for parsing in process."""

    name: str
    scanned: bool
    processes: int
    documents: int
    pages: int
    engine: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What a case took; memory is that of the largest process that parsed."""

    case: str
    processes: int
    pages: int
    pages_per_s: float
    cpu_s_per_page: float
    peak_mib: float


def text_pdf(pages: int) -> bytes:
    """Return a PDF of full A4 pages: a letterhead, paragraphs, and a table in four columns."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    sentence = "delivery of the goods named below took place on the agreed day and was in order"
    for page in range(pages):
        canvas.setFont("Helvetica-Bold", 14)
        canvas.drawString(60, 790, f"Northern Paper Mills Ltd, sheet {page + 1}")
        canvas.setFont("Helvetica", 10)
        for line in range(24):
            canvas.drawString(60, 760 - 14 * line, f"{line + 1}. {sentence}")
        for row in range(22):
            height = 400 - 15 * row
            canvas.drawString(60, height, f"Item {row:03d}")
            canvas.drawString(160, height, "Copy paper, white, 80 g")
            canvas.drawRightString(420, height, f"{row * 3 + 1}")
            canvas.drawRightString(530, height, f"{row * 12.5 + 0.99:,.2f}")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def scanned_pdf(pages: int) -> bytes:
    """Return the same pages as pictures only."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    with pdfium.PdfDocument(text_pdf(pages)) as document:
        for page in document:
            picture = page.render(scale=SCAN_DPI / 72, grayscale=True).to_pil()
            canvas.drawImage(ImageReader(picture), 0, 0, *A4)
            canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def measure(case: Case, folder: Path) -> Figures:
    """Return what `case` takes, after one document that is not counted."""
    content = scanned_pdf(case.pages) if case.scanned else text_pdf(case.pages)
    path = folder / f"{case.name}.pdf"
    path.write_bytes(content)
    wall, cpu = asyncio.run(_pooled(case, path)) if case.processes else _in_process(case, path)
    usage = resource.RUSAGE_CHILDREN if case.processes else resource.RUSAGE_SELF
    peak = resource.getrusage(usage).ru_maxrss * MAXRSS_BYTES / MEBIBYTE
    count = case.documents * case.pages
    return Figures(case.name, case.processes, count, count / wall, cpu / count, peak)


def _in_process(case: Case, path: Path) -> tuple[float, float]:
    reader = open_reader(case.engine)
    parse = partial(
        parse_part, path, PDF, first_page=1, budget_s=TIMEOUT_S, limits=Limits(), reader=reader
    )
    parse()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(case.documents):
        parse()
    return time.perf_counter() - wall, time.process_time() - cpu


async def _pooled(case: Case, path: Path) -> tuple[float, float]:
    pool = ParserPool(
        workers=case.processes,
        memory_bytes=CHILD_MEMORY_BYTES,
        open_reader=partial(open_reader, case.engine),
    )
    parse = partial(
        pool.parse,
        path,
        PDF,
        first_page=1,
        budget_s=TIMEOUT_S,
        timeout_s=TIMEOUT_S,
        limits=Limits(),
    )
    async with pool:
        await asyncio.gather(*(parse() for _ in range(case.processes)))
        wall, cpu = time.perf_counter(), _children_cpu_s()
        await asyncio.gather(*(parse() for _ in range(case.documents)))
        return time.perf_counter() - wall, _children_cpu_s() - cpu


def _children_cpu_s() -> float:
    times = [child.cpu_times() for child in psutil.Process().children()]
    return sum(spent.user + spent.system for spent in times)


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    for name in ("text", "scanned"):
        scanned = name == "scanned"
        documents = options.scans if scanned else options.texts
        pages = options.scan_pages if scanned else options.pages
        for processes in (0, *options.processes):
            yield Case(name, scanned, processes, documents, pages, options.engine)


def _measured(cases: Iterable[Case]) -> Iterator[Figures]:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            # Children of a pool's worker may have children only if it is no daemon.
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_report, args=(theirs, case, Path(folder)))
            process.start()
            theirs.close()
            yield ours.recv()
            process.join()


def _report(connection: Connection, case: Case, folder: Path) -> None:
    connection.send(measure(case, folder))


def _table(figures: Iterable[Figures]) -> Iterator[str]:
    yield "pages of         where  pages   pages/s  CPU s/page  peak MiB"
    for one in figures:
        where = f"{one.processes} processes" if one.processes else "in process"
        yield (
            f"{one.case:9} {where:>12} {one.pages:6} {one.pages_per_s:9.2f}"
            f" {one.cpu_s_per_page:11.4f} {one.peak_mib:9.0f}"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.parse", description=__doc__)
    parser.add_argument("--texts", type=int, default=40, help="documents with text")
    parser.add_argument("--pages", type=int, default=20, help="pages of each")
    parser.add_argument("--scans", type=int, default=4, help="scanned documents")
    parser.add_argument("--scan-pages", type=int, default=2, help="pages of each")
    parser.add_argument(
        "--processes", type=int, nargs="*", default=[1, 2], help="sizes of the pool to measure"
    )
    parser.add_argument("--engine", default="auto", help="OCR engine, as in the settings")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    return parser.parse_args()


def main() -> None:
    """Measure every case, a line each as it is done."""
    options = _options()
    measured: list[Figures] = []
    lines = _table(_kept(_measured(_cases(options)), measured))
    for line in lines:
        print(line, flush=True)
    print(f"{os.cpu_count()} cores; load at the end {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in measured], indent=2) + "\n")


def _kept(figures: Iterable[Figures], into: list[Figures]) -> Iterator[Figures]:
    for one in figures:
        into.append(one)
        yield one


if __name__ == "__main__":
    main()
