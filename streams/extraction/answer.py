"""Assembles the fields of a document: each value with its normal form, place, evidence, confidence.

Pure. Takes what a model answered, and the pages it was asked about; believes neither more than the
evidence says.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from schemas.document_types import DocumentType
from schemas.fields import Answer, Evidence, FieldAnswer, Unavailable
from streams.extraction import checks, confidence
from streams.extraction.ground import Found, Ground
from streams.extraction.merge import merge
from streams.extraction.normalise import FORMATTED, Hints, hints, normalise
from streams.extraction.reading import (
    FieldValues,
    Reading,
    Row,
    Value,
    leaf_path,
    leaves_of,
    rows_of,
)
from streams.extraction.tokens import LeafPath
from streams.extraction.wording import Spot
from streams.parsing.page import Page

_NAMED_IN_NOTICE = 8


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of a document's fields.

    `fields` are the answers with evidence, `effective` the plain values that searches see (normal
    form, else as printed, null where absent); `confidence` is that of the weakest required field,
    None for a type that has no fields to be wrong about; `notices` are sentences for a reader.
    """

    fields: dict[str, Answer]
    effective: dict[str, JsonValue]
    confidence: float | None
    needs_review: bool
    notices: tuple[str, ...]


def assemble(
    document_type: DocumentType,
    readings: Sequence[Reading],
    pages: Sequence[Page],
    *,
    model: str,
    parameters: confidence.Parameters | None = None,
) -> Extracted:
    """Puts what a model answered about a document into fields with evidence and confidence.

    Args:
        document_type: the type whose fields were asked for.
        readings: one for each window in order, from `read_answer`; at least one. Fields that they
            lack are absent: a blank document needs no model, `Reading({})` stands for its answer.
        pages: all pages of the document.
        model: the model's name, which chooses the weights of the confidence.
        parameters: the weights; those that come with the package if absent.

    Returns: the fields in the order of the type; linear in the text, so a long document is best
        assembled off the event loop.
    """
    family = (parameters or confidence.parameters()).family(model)
    reading = _complete(document_type, merge(readings))
    work = _Work(document_type, reading, Ground(pages), hints(page.text for page in pages))
    verdicts = checks.run(document_type, work.normalised)
    counts = checks.tally(verdicts)
    answers = {
        path: work.answer(path, value, family, counts.get(path, (0, 0)))
        for path, value in work.values.items()
    }
    fields = {name: _shape(name, values, answers) for name, values in work.reading.fields.items()}
    weakest = _weakest(document_type, fields, work, family)
    return Extracted(
        fields=fields,
        effective={name: _effective(answer) for name, answer in fields.items()},
        confidence=weakest,
        needs_review=weakest is not None and weakest < document_type.review_threshold,
        notices=tuple(_notices(len(readings), answers, verdicts)),
    )


def _complete(document_type: DocumentType, reading: Reading) -> Reading:
    nothing: dict[str, FieldValues] = {
        name: Value(None) if field.items is None else []
        for name, field in document_type.fields.properties.items()
    }
    return Reading({**nothing, **reading.fields})


class _Work:
    """One document in work: its values, where they stand, and their normal forms, by path."""

    def __init__(
        self, document_type: DocumentType, reading: Reading, ground: Ground, hint: Hints
    ) -> None:
        self.document_type = document_type
        self.reading = reading
        self.ground = ground
        self.values: dict[LeafPath, Value] = {}
        self.kinds: dict[LeafPath, str] = {}
        self.found: dict[LeafPath, Found] = {}
        self.normalised: dict[LeafPath, JsonValue] = {}
        kinds = document_type.kinds()
        for name, values in reading.fields.items():
            for path, value in leaves_of(name, values):
                kind = kinds[".".join(str(step) for step in path if isinstance(step, str))]
                self.values[path], self.kinds[path] = value, kind
                self.normalised[path] = (
                    None if value.text is None else normalise(kind, value.text, hint)
                )
            self.found.update(_locate(name, values, self.labels(name), ground))

    def labels(self, name: str) -> tuple[str, ...]:
        return self.document_type.fields.properties[name].labels

    def required(self, path: LeafPath) -> Literal[0, 1]:
        name = path[0]
        return 1 if len(path) == 1 and name in self.document_type.fields.required else 0

    def answer(
        self, path: LeafPath, value: Value, family: confidence.Family, counts: tuple[int, int]
    ) -> FieldAnswer:
        found = self.found.get(path, Found("absent"))
        normal, kind = self.normalised[path], self.kinds[path]
        evidence = Evidence(
            model_score=value.score,
            grounding=found.grounding,
            occurrences=found.occurrences,
            ocr_confidence=found.ocr_confidence,
            format_valid=_validity(kind, value.text, normal),
            checks_passed=counts[0],
            checks_failed=counts[1],
        )
        if value.text is None:
            sure = self.absence(path, value.score, family)
        else:
            sure = confidence.present(kind, value.text, evidence, family)
        return FieldAnswer(
            value=value.text,
            normalised=normal,
            confidence=round(sure, 4),
            place=found.place,
            evidence=evidence,
        )

    def absence(
        self, path: LeafPath, score: float | Unavailable, family: confidence.Family
    ) -> float:
        """The probability that the document truly has no value at `path`."""
        labels = self.labels(str(path[0])) if len(path) == 1 else ()
        return confidence.absent(
            score,
            family,
            required=self.required(path),
            labelled=1 if self.ground.mentions(labels) else 0,
        )


def _validity(kind: str, text: str | None, normal: JsonValue) -> bool | Unavailable:
    if text is None or kind not in FORMATTED:
        return "unavailable"
    return normal is not None


def _locate(
    name: str, values: FieldValues, labels: Sequence[str], ground: Ground
) -> dict[LeafPath, Found]:
    """Finds a field's values; entries and rows are sought one behind the other."""
    if isinstance(values, Value):
        if values.text is None:
            return {}
        return {(name,): ground.locate(values.text, labels=labels, pages=values.pages)}
    found: dict[LeafPath, Found] = {}
    after: Spot | None = None
    for at, row in enumerate(rows_of(values)):
        cells = _locate_row(row, ground, after)
        found.update({leaf_path(name, at, column): cell for column, cell in cells.items()})
        spots = [cell.spot for cell in cells.values() if cell.spot is not None]
        after = max(spots, key=lambda spot: spot.end, default=after)
    return found


def _locate_row(row: Row, ground: Ground, after: Spot | None) -> dict[str, Found]:
    """Finds a row by its longest cell, which is seldom repeated, and the others beside that one."""
    filled = {column: value for column, value in row.items() if value.text is not None}
    longest = max(filled, key=lambda column: len(filled[column].text or ""))
    found: dict[str, Found] = {}
    taken: list[Spot] = []
    for column in (longest, *(column for column in filled if column != longest)):
        found[column] = ground.locate(
            filled[column].text or "",
            near=taken[0] if taken else None,
            after=after,
            taken=taken,
            pages=filled[column].pages,
        )
        spot = found[column].spot
        taken += [] if spot is None else [spot]
    return found


def _shape(name: str, values: FieldValues, answers: Mapping[LeafPath, FieldAnswer]) -> Answer:
    if isinstance(values, Value):
        return answers[(name,)]
    rows = [
        {column: answers[leaf_path(name, at, column)] for column in row}
        for at, row in enumerate(rows_of(values))
    ]
    plain = [row[""] for row in rows if "" in row]
    return plain or rows


def _flat(answer: Answer) -> Iterator[FieldAnswer]:
    if isinstance(answer, FieldAnswer):
        yield answer
        return
    for one in answer:
        if isinstance(one, FieldAnswer):
            yield one
        else:
            yield from one.values()


def _weakest(
    document_type: DocumentType,
    fields: Mapping[str, Answer],
    work: _Work,
    family: confidence.Family,
) -> float | None:
    """The least confidence of the required fields; of those with a value where none is required.

    A required field without a value counts with the probability that the document truly has none.
    """
    least: list[float] = []
    for name in document_type.fields.required:
        leaves = [leaf.confidence for leaf in _flat(fields[name])]
        least += leaves or [work.absence((name,), "unavailable", family)]
    if not document_type.fields.required:
        leaves_of_all = [leaf for answer in fields.values() for leaf in _flat(answer)]
        least = [leaf.confidence for leaf in leaves_of_all if leaf.value is not None]
    return round(min(least), 4) if least else None


def _effective(answer: Answer) -> JsonValue:
    if isinstance(answer, FieldAnswer):
        return answer.value if answer.normalised is None else answer.normalised
    return [
        _effective(one)
        if isinstance(one, FieldAnswer)
        else {column: _effective(cell) for column, cell in one.items()}
        for one in answer
    ]


def _notices(
    windows: int, answers: Mapping[LeafPath, FieldAnswer], verdicts: Iterable[checks.Verdict]
) -> Iterable[str]:
    if windows > 1:
        yield f"The document is longer than the model's context and was read in {windows} windows."
    loose = sorted(
        {
            str(path[0])
            for path, answer in answers.items()
            if answer.value is not None and answer.evidence.grounding == "absent"
        }
    )
    if loose:
        more = ", …" if len(loose) > _NAMED_IN_NOTICE else ""
        names = ", ".join(loose[:_NAMED_IN_NOTICE])
        yield f"Values that do not stand in the document's text: {names}{more}."
    failed = dict.fromkeys(verdict.name for verdict in verdicts if not verdict.holds)
    yield from (f"A cross-check does not hold: {name}." for name in failed)
