"""Judges what was extracted and prints the figures: classes, fields, honesty of confidences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.asking import Outcome
from bench.calibration import Calibration, Seen, measure
from bench.cases import Case
from bench.matching import Match, compare
from schemas.document_types import builtin
from streams.extraction.confidence import (
    Family,
    absent_features,
    present_features,
    weigh,
)
from streams.extraction.ground import Ground
from streams.extraction.normalise import hints


@dataclass(frozen=True, slots=True)
class Judged:
    """One document: what was done with it, and each known field compared with the truth."""

    case: Case
    outcome: Outcome
    matches: tuple[Match, ...]
    labelled: frozenset[str]

    def reweighed(self, family: Family) -> "Judged":
        """The same with the confidences that other weights give."""
        matches = (replace(one, answer=_reweigh(self, one, family)) for one in self.matches)
        return replace(self, matches=tuple(matches))

    def required(self, match: Match) -> bool:
        """Whether the true type requires the field of a match."""
        return match.path in builtin()[self.case.type].fields.required


def judge(case: Case, outcome: Outcome) -> Judged:
    """Compares what was extracted with the truth."""
    document_type = builtin()[case.type]
    hint = hints(page.text for page in outcome.pages)
    matches = tuple(compare(document_type, case.truths, outcome.extracted.fields, hint))
    ground = Ground(outcome.pages)
    fields = document_type.fields.properties.items()
    labelled = frozenset(name for name, field in fields if ground.mentions(field.labels))
    return Judged(case, outcome, matches, labelled)


def _features(one: Judged, match: Match) -> dict[str, float]:
    if match.answer is None:
        return {}
    if match.given:
        return present_features(match.kind, match.answer.value or "", match.answer.evidence)
    return absent_features(
        match.answer.evidence.model_score,
        required=1 if one.required(match) else 0,
        labelled=1 if not match.table and match.path in one.labelled else 0,
    )


def _reweigh(one: Judged, match: Match, family: Family) -> Any:  # noqa: ANN401 - FieldAnswer or None
    if match.answer is None:
        return None
    weights = family.present if match.given else family.absent
    sure = weigh(_features(one, match), weights)
    return match.answer.model_copy(update={"confidence": sure})


def seen_present(judged: Iterable[Judged]) -> list[Seen]:
    """The values that were given, to fit on or to measure."""
    return _seen(judged, given=True)


def seen_absent(judged: Iterable[Judged]) -> list[Seen]:
    """The values that were said to be absent."""
    return _seen(judged, given=False)


def _seen(judged: Iterable[Judged], *, given: bool) -> list[Seen]:
    return [
        Seen(_features(one, match), match.answer.confidence, match.meant, match.weight)
        for one in judged
        for match in one.matches
        if match.answer is not None and match.given == given
    ]


def _scores(matches: Sequence[Match]) -> dict[str, Any]:
    """Shares right among the values that are there, and F1 over given and true values."""
    there = [one for one in matches if one.truth is not None]
    given = [one for one in matches if one.given]
    found: dict[str, Any] = {"true": len(there), "given": len(given)}
    for way in ("strict", "loose", "meant"):
        right = sum(getattr(one, way) for one in given if one.truth is not None)
        found[way] = round(right / len(there), 3) if there else None
        found[f"f1_{way}"] = round(2 * right / max(1, len(there) + len(given)), 3)
    found["invented"] = sum(one.truth is None for one in given)
    return found


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """All figures of a set of documents, as JSON."""
    plain = [match for one in judged for match in one.matches if not match.table]
    cells = [match for one in judged for match in one.matches if match.table]
    by_type = [one for one in judged if one.outcome.type == one.case.type]
    end_to_end = [
        replace(match, answer=match.answer if one in by_type else None,
                strict=match.strict and one in by_type, loose=match.loose and one in by_type,
                meant=match.meant and one in by_type)
        for one in judged for match in one.matches if not match.table
    ]  # fmt: skip
    groups: dict[str, Any] = {}
    for group in sorted({one.case.group for one in judged}):
        mine = [one for one in judged if one.case.group == group]
        names = dict.fromkeys(match.path for one in mine for match in one.matches)
        groups[group] = {
            "documents": len(mine),
            "class_accuracy": round(_accuracy(mine), 3),
            "all_fields": _scores([m for one in mine for m in one.matches if not m.table]),
            "table_cells": _scores([m for one in mine for m in one.matches if m.table]),
            "fields": {
                name: _scores([m for one in mine for m in one.matches if m.path == name])
                for name in names
            },
        }
    return {
        "documents": len(judged),
        "class_accuracy": round(_accuracy(judged), 3),
        "fields": _scores(plain),
        "fields_end_to_end": _scores(end_to_end),
        "table_cells": _scores(cells),
        "groups": groups,
        "review": _review(judged),
        "calibration": {
            "values": _honesty([s for s in seen_present(judged) if s.weight == 1.0]),
            "values_and_cells": _honesty(seen_present(judged)),
            "absences": _honesty(seen_absent(judged)),
        },
    }


def _review(judged: Sequence[Judged]) -> dict[str, Any]:
    """What `needs_review` is worth: how many documents it asks to look at, and what it catches.

    A document is right where all its required fields are whose truth is known.
    """
    rated: list[tuple[bool, bool]] = []
    for one in judged:
        needed = [match for match in one.matches if one.required(match) and match.answer]
        if needed:
            weakest = min(match.answer.confidence for match in needed if match.answer)
            flagged = weakest < builtin()[one.case.type].review_threshold
            rated.append((flagged, all(match.meant for match in needed)))
    passed = [right for flagged, right in rated if not flagged]
    wrong = [flagged for flagged, right in rated if not right]
    return {
        "documents": len(rated),
        "flagged": sum(flagged for flagged, _ in rated),
        "right_of_unflagged": round(sum(passed) / len(passed), 3) if passed else None,
        "wrong_caught": round(sum(wrong) / len(wrong), 3) if wrong else None,
    }


def _accuracy(judged: Sequence[Judged]) -> float:
    return sum(one.outcome.type == one.case.type for one in judged) / max(1, len(judged))


def _honesty(seen: Sequence[Seen]) -> dict[str, Any]:
    found: Calibration = measure([one.confidence for one in seen], [one.right for one in seen])
    return {
        "answers": found.answers,
        "right": round(found.share_right, 3),
        "ece": round(found.ece, 3),
        "brier": round(found.brier, 3),
        "auroc": None if found.auroc is None else round(found.auroc, 3),
        "occupied_bins": len(found.bins),
        "bins": [[count, round(sure, 3), round(share, 3)] for count, sure, share in found.bins],
    }


def print_report(
    fitted_on: Sequence[Judged], reported: Sequence[Judged], *, quiet: bool
) -> dict[str, Any]:
    """Prints the figures of the half to report on and of all; returns them as JSON."""
    half, whole = figures(reported), figures([*fitted_on, *reported])
    if not quiet:
        print(f"Half to report on: {half['documents']} documents")
        _print_figures(half)
        print(f"\nAll {whole['documents']} documents (confidences were fitted on half of them)")
        _print_figures(whole)
    return {"reported": half, "all": whole}


_HEAD = f"{'':34} {'true':>5} {'given':>5} {'strict':>6} {'loose':>6} {'meant':>6} {'invented':>8}"


def _print_figures(found: dict[str, Any]) -> None:
    print(f"class accuracy {found['class_accuracy']:.3f}")
    print(_HEAD)
    for group, one in found["groups"].items():
        print(f"{group}: {one['documents']} documents, class accuracy {one['class_accuracy']:.3f}")
        if group != "samples":
            for name, scores in one["fields"].items():
                _print_row(name, scores)
        _print_row("all fields", one["all_fields"])
        if one["table_cells"]["true"]:
            _print_row("table cells", one["table_cells"])
    for name in ("fields", "fields_end_to_end", "table_cells"):
        scores = found[name]
        print(
            f"micro-F1 {name:20} strict {scores['f1_strict']:.3f}  loose {scores['f1_loose']:.3f}"
            f"  meant {scores['f1_meant']:.3f}"
        )
    review = found["review"]
    print(
        f"needs_review: {review['flagged']} of {review['documents']} documents;"
        f" wrong ones caught {review['wrong_caught']};"
        f" right among the others {review['right_of_unflagged']}"
    )
    for name, one in found["calibration"].items():
        print(
            f"calibration {name:17} n {one['answers']:4}  right {one['right']:.3f}  ECE"
            f" {one['ece']:.3f}  Brier {one['brier']:.3f}  AUROC {one['auroc']}"
            f"  bins {one['occupied_bins']}"
        )


def _print_row(name: str, scores: dict[str, Any]) -> None:
    shares = (scores[way] for way in ("strict", "loose", "meant"))
    shown = " ".join("     -" if share is None else f"{share:6.3f}" for share in shares)
    print(f"  {name:32} {scores['true']:5} {scores['given']:5} {shown} {scores['invented']:8}")


def print_failures(judged: Iterable[Judged]) -> None:
    """Prints each value that is not as meant, with what is true."""
    for one in judged:
        if one.outcome.type != one.case.type:
            sure = one.outcome.type_confidence
            print(f"{one.case.name}: taken for {one.outcome.type} ({sure:.2f})")
        if one.outcome.trouble:
            print(f"{one.case.name}: {one.outcome.trouble}")
        for match in one.matches:
            if not match.meant:
                given = None if match.answer is None else match.answer.value
                doubt = None if match.answer is None else match.answer.confidence
                print(f"{one.case.name} {match.path}: {match.truth!r} <> {given!r} ({doubt})")
