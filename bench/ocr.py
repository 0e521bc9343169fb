"""How well each OCR engine reads labelled scans, and what a page costs.

Reads a folder of `NNN.jpg` (scan), `NNN.csv` (labelled lines: eight corner coordinates, then the
text) and `NNN.json` (true fields); writes a table, and JSON where asked to. Each engine runs in a
process of its own, so that its peak memory is its own.
"""

import argparse
import json
import multiprocessing
import re
import resource
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from PIL import Image

from schemas.document_types import answer_schema, builtin
from streams.parsing.ocr import NAMES, engine, page_from_image
from streams.parsing.page import Page

_CORNERS = 8
_MEBIBYTE = 1024.0


@dataclass(frozen=True)
class Label:
    """A labelled line: its text and its outline in pixels (left, top, right, bottom)."""

    text: str
    outline: tuple[float, float, float, float]


@dataclass
class Tally:
    """Sums over the pages that one engine read."""

    pages: int = 0
    true_words: int = 0
    read_words: int = 0
    right_words: int = 0
    true_signs: int = 0
    wrong_signs: int = 0
    present: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    found_loosely: Counter[str] = field(default_factory=Counter)
    extracted: Counter[str] = field(default_factory=Counter)
    extracted_loosely: Counter[str] = field(default_factory=Counter)
    cpu_s: float = 0.0
    peak_mib: float = 0.0


def labels(path: Path) -> list[Label]:
    """Return the labelled lines of the file `path`."""
    found = []
    for row in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = row.split(",", _CORNERS)
        if len(parts) > _CORNERS:
            across, down = [float(x) for x in parts[0:8:2]], [float(y) for y in parts[1:8:2]]
            found.append(Label(parts[8], (min(across), min(down), max(across), max(down))))
    return found


def distance(one: str, other: str) -> int:
    """Return the fewest insertions, deletions and replacements that turn `one` into `other`."""
    costs = list(range(len(other) + 1))
    for row, sign in enumerate(one, 1):
        before, costs[0] = costs[0], row
        for column, mate in enumerate(other, 1):
            cheapest = min(costs[column] + 1, costs[column - 1] + 1, before + (sign != mate))
            before, costs[column] = costs[column], cheapest
    return costs[-1]


def collapse(text: str) -> str:
    """Return `text` in lower case with single spaces."""
    return " ".join(text.lower().split())


def bare(text: str) -> str:
    """Return the letters and digits of `text` in lower case."""
    return re.sub(r"[\W_]+", "", text.lower())


def add_page(
    tally: Tally, page: Page, size: tuple[int, int], truth: Sequence[Label], fields: dict[str, str]
) -> None:
    """Add the scores of one page of `size` pixels to `tally`; case never counts."""
    tally.pages += 1
    true = Counter(word for label in truth for word in label.text.lower().split())
    read = Counter(word.text.lower() for word in page.words)
    tally.true_words += true.total()
    tally.read_words += read.total()
    tally.right_words += (true & read).total()
    for label in truth:
        want = collapse(label.text)
        tally.true_signs += len(want)
        tally.wrong_signs += distance(want, collapse(_read_within(page, size, label)))
    schema = answer_schema(builtin()["receipt"])
    answers = _extract(page.text, schema)
    for name, value in fields.items():
        tally.present[name] += 1
        tally.found[name] += collapse(value) in collapse(page.text)
        tally.found_loosely[name] += bare(value) in bare(page.text)
        answer = answers.get(name)
        if isinstance(answer, str):
            tally.extracted[name] += collapse(answer) == collapse(value)
            tally.extracted_loosely[name] += bare(answer) == bare(value)


def _extract(text: str, schema: dict[str, object]) -> dict[str, object]:
    from local.models.extraction import extract  # noqa: PLC0415 - only this measure needs the rules

    return extract(text, schema).values


def _read_within(page: Page, size: tuple[int, int], label: Label) -> str:
    left, top, right, bottom = label.outline
    inside = []
    for word in page.words:
        x, y = (word.box[0] + word.box[2]) / 2 * size[0], (word.box[1] + word.box[3]) / 2 * size[1]
        if left <= x <= right and top <= y <= bottom:
            inside.append(word.text)
    return " ".join(inside)


def measure(name: str, threads: int, folder: Path, stems: Sequence[str]) -> Tally | None:
    """Return the scores of engine `name` over the pages `stems`; None where it is absent."""
    reader = engine(name, threads)
    if reader is None:
        return None
    tally = Tally()
    for stem in stems:
        with Image.open(folder / f"{stem}.jpg") as image:
            before = _cpu_s()
            page = page_from_image(image, 1, reader)
            tally.cpu_s += _cpu_s() - before
            fields = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
            add_page(tally, page, image.size, labels(folder / f"{stem}.csv"), fields)
    peaks = [resource.getrusage(who).ru_maxrss for who in _WHO]
    tally.peak_mib = max(peaks) / _MEBIBYTE
    return tally


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu_s() -> float:
    # A child's time counts once it has ended, which the tesseract engine waits for.
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def show(name: str, tally: Tally) -> Iterable[str]:
    """Return the lines that say how the engine `name` fared."""
    yield (
        f"{name}: {tally.pages} pages, word recall {tally.right_words / tally.true_words:.3f},"
        f" precision {tally.right_words / max(tally.read_words, 1):.3f},"
        f" character error rate {tally.wrong_signs / tally.true_signs:.3f},"
        f" {tally.cpu_s / tally.pages:.2f} CPU s a page, peak {tally.peak_mib:.0f} MiB"
    )
    yield f"  {'field':10} {'in text':>8} {'loosely':>8} {'by rules':>9} {'loosely':>8}"
    for key, count in tally.present.items():
        yield (
            f"  {key:10} {tally.found[key] / count:8.3f} {tally.found_loosely[key] / count:8.3f}"
            f" {tally.extracted[key] / count:9.3f} {tally.extracted_loosely[key] / count:8.3f}"
        )


def main() -> None:
    """Measure the engines named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with NNN.jpg, .csv, .json")
    parser.add_argument(
        "--engines",
        nargs="+",
        default=["rapidocr", "tesseract"],
        choices=[name for name in NAMES if name != "none"],
        help="engines to compare (default: %(default)s)",
    )
    parser.add_argument("--limit", type=int, help="read only this many scans")
    parser.add_argument("--threads", type=int, default=1, help="threads (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the sums to this file too")
    options = parser.parse_args()
    stems = sorted(path.stem for path in options.data.glob("*.jpg"))[: options.limit]
    if not stems:
        parser.error(f"there is no NNN.jpg in {options.data}")
    results: dict[str, Tally] = {}
    for name in options.engines:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            tally = pool.apply(measure, (name, options.threads, options.data, stems))
        if tally is None:
            print(f"{name}: not installed")
            continue
        results[name] = tally
        print("\n".join(show(name, tally)), flush=True)
    if options.json:
        sums = {name: asdict(tally) for name, tally in results.items()}
        options.json.write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
