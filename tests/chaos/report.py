"""The report: a table for people, and files to look into what is wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos import stores
from tests.chaos.faults import Fault
from tests.chaos.measures import ModelCalls, Recovery
from tests.chaos.orders import Kind
from tests.chaos.rolling import Rolling
from tests.chaos.truth import Finding, Truth

_SHOWN = 40


@dataclass
class Report:
    """What a run found."""

    seed: int
    seconds: float
    faults: list[Fault]
    kills: Counter[str]
    truth: Truth
    findings: list[Finding]
    recoveries: list[Recovery]
    calls: ModelCalls
    stall: float
    life: float
    rolled: Rolling | None = None

    @property
    def clean(self) -> bool:
        """Returns: whether nothing was found that must not be."""
        return not self.findings


def text(report: Report) -> str:
    """Returns: the report as Markdown."""
    kinds = Counter(finding.kind for finding in report.findings)
    lines = [
        f"seed {report.seed}, {report.seconds / 60:.1f} minutes, {len(report.faults)} faults",
        "",
        *_table(("what", "how many"), _counts(report, kinds)),
        "",
        *_table(
            ("fault", "times", "serves again", "new work done", "all before done"),
            [_recovery(each) for each in report.recoveries],
        ),
        "",
        "Seconds, median and longest. Faults overlap: a time also holds the faults after it.",
        *_rolled(report.rolled),
    ]
    shown = [f"- {finding.kind}: {finding.detail}" for finding in report.findings[:_SHOWN]]
    if shown:
        more = len(report.findings) - len(shown)
        lines += ["", f"{len(report.findings)} findings: {dict(kinds)}", *shown]
        lines += [f"- and {more} more"] if more else []
    return "\n".join(lines) + "\n"


def _rolled(rolled: Rolling | None) -> list[str]:
    if rolled is None:
        return []
    rates = f"{rolled.rolling:.0f} documents a minute, {rolled.steady:.0f} in the steady state"
    restart = f"Rolling restart of {rolled.workers} workers in {rolled.seconds:.0f} s"
    return ["", f"{restart}: {rates} before ({rolled.share:.0%})."]


def _counts(report: Report, kinds: Counter[str]) -> list[tuple[str, object]]:
    truth = report.truth
    states = Counter(
        row["status"] for sent in truth.accepted for row in truth.rows_of(sent)
    )  # fmt: skip
    undecodable = sum(sent.order.kind is Kind.UNDECODABLE for sent in truth.accepted)
    calls = report.calls
    again = sum(sent.tries - 1 for sent in truth.sent)
    return [
        *((kind, count) for kind, count in sorted(report.kills.items())),
        ("kills", report.kills.total()),
        ("requests accepted", len(truth.accepted)),
        ("of them completed", states["completed"]),
        ("of them failed as they must", states["failed"] - len(truth.excused)),
        ("of them cancelled by a deletion", states["cancelled"]),
        ("of them not decodable", undecodable),
        ("refused at once", sum(sent.refused is not None for sent in truth.sent)),
        ("repeated by the clients", again),
        ("dead letters", len(truth.tables["dead_letters"])),
        ("of them for rubbish or the bug, sent again in the end", len(truth.gave_up)),
        ("writes of objects, each one version", stores.writes(truth)),
        ("tenants that came and went", len(truth.gone)),
        ("lost", kinds["lost"]),
        ("doubled", kinds["doubled"]),
        ("otherwise wrong", sum(kinds.values()) - kinds["lost"] - kinds["doubled"]),
        ("crashes counted in steps", sum(row["crashes"] for row in truth.tables["steps"])),
        ("events", len(truth.tables["events"])),
        ("results published again", _again(truth)),
        ("model calls answered", calls.answered),
        ("model calls repeated", calls.repeated),
        ("model calls that went wrong", calls.misbehaved),
        ("longest stall, s", f"{report.stall:.1f}"),
        ("longest from accepted to final, s", f"{report.life:.1f}"),
    ]


def _again(truth: Truth) -> int:
    return len(truth.results) - len({record.key for record in truth.results})


def _recovery(each: Recovery) -> tuple[object, ...]:
    return (each.kind, each.count, *(_span(one) for one in (each.ready, each.new, each.flight)))


def _span(values: tuple[float, float] | None) -> str:
    return "" if values is None else f"{values[0]:.1f} / {values[1]:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    made = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [made[0], rule, *made[1:]]
