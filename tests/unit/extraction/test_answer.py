"""A model's answer becomes fields with evidence."""

import json

import pytest

from schemas.document_types import DocumentType, builtin, parse
from schemas.fields import FieldAnswer
from streams.extraction import Extracted, Reading, assemble, read_answer
from streams.extraction.confidence import parameters
from streams.parsing.page import Page

_SLIP = """            ACME BAKERY
           12, Mill Lane
           NR1 2AB Norwich
DATE: 25/12/20188:13PM
Bread    2 x 3.50     7.00
Milk     1 x 2.00     2.00
Milk     1 x 2.00     2.00
TOTAL GBP            11.00
CASH                 20.00
CHANGE                9.00
"""


def _line(description: str, quantity: str, unit_price: str, amount: str) -> dict[str, str]:
    return {
        "description": description,
        "quantity": quantity,
        "unit_price": unit_price,
        "amount": amount,
    }


_ANSWER = {
    "company": "ACME BAKERY",
    "address": "12, Mill Lane NR1 2AB Norwich",
    "date": "25/12/2018",
    "receipt_number": None,
    "subtotal": None,
    "tax": None,
    "total": "11.00",
    "cash": "20.00",
    "change": "9.00",
    "lines": [
        _line("Bread", "2", "3.50", "7.00"),
        _line("Milk", "1", "2.00", "2.00"),
        _line("Milk", "1", "2.00", "2.00"),
    ],
}


def _extract(text: str = _SLIP, **changes: object) -> Extracted:
    receipt = builtin()["receipt"]
    reading = read_answer(receipt, json.dumps({**_ANSWER, **changes}))
    return assemble(receipt, [reading], [Page(1, text)], model="some-model")


def _plain(extracted: Extracted, name: str) -> FieldAnswer:
    answer = extracted.fields[name]
    assert isinstance(answer, FieldAnswer)
    return answer


def test_values_have_normal_forms_and_places() -> None:
    """The printed value stays; its place is found in the text."""
    extracted = _extract()
    date, total = _plain(extracted, "date"), _plain(extracted, "total")
    assert (date.value, date.normalised) == ("25/12/2018", "2018-12-25")
    assert total.normalised == {"amount": "11.00", "currency": "GBP"}
    assert total.place is not None
    assert _SLIP[total.place.start : total.place.end] == "11.00"
    assert total.evidence.checks_passed == 1
    assert extracted.notices == ()


def test_the_effective_values_are_plain() -> None:
    """Searches see normal forms, printed text where there is none, and null for what is absent."""
    effective = _extract(date="soon").effective
    assert effective["date"] == "soon"
    assert effective["company"] == "ACME BAKERY"
    assert effective["tax"] is None
    assert isinstance(effective["lines"], list)
    assert effective["lines"][1] == {
        "description": "Milk",
        "quantity": 1,
        "unit_price": {"amount": "2.00", "currency": "GBP"},
        "amount": {"amount": "2.00", "currency": "GBP"},
    }


def test_equal_rows_have_places_of_their_own() -> None:
    """Every cell of a table keeps its place, also where rows and cells repeat."""
    lines = _extract().fields["lines"]
    assert isinstance(lines, list)
    places = [
        (cell.place.start, cell.place.end)
        for row in lines
        if isinstance(row, dict)
        for cell in row.values()
        if cell.place is not None
    ]
    assert len(set(places)) == len(places) == 12


def test_a_value_that_was_invented_is_doubted() -> None:
    """What does not stand in the text is kept, less sure, and named in a notice."""
    good, bad = _extract(), _extract(company="Invented Ltd")
    assert _plain(bad, "company").evidence.grounding == "absent"
    assert _plain(bad, "company").confidence < _plain(good, "company").confidence
    assert any("company" in notice for notice in bad.notices)
    assert bad.confidence is not None
    assert good.confidence is not None
    assert bad.confidence < good.confidence


def test_a_failed_check_is_told() -> None:
    """A total that does not add up has its evidence and a notice."""
    extracted = _extract(total="20.00")
    assert _plain(extracted, "total").evidence.checks_failed == 1
    assert "A cross-check does not hold: sum of total, change is cash." in extracted.notices


def test_a_document_is_as_sure_as_its_weakest_required_field() -> None:
    """Optional fields do not count; a missing required one counts as doubtful."""
    extracted = _extract()
    required = builtin()["receipt"].fields.required
    assert extracted.confidence == min(_plain(extracted, name).confidence for name in required)
    missing = _extract(total=None)
    assert missing.confidence == _plain(missing, "total").confidence
    assert missing.needs_review


def test_a_required_table_without_rows_is_doubted() -> None:
    """Rows have no value that could be unsure; their absence itself is."""
    cell = {"type": "string", "description": "A cell.", "x-kind": "text"}
    rows = {
        "type": "array",
        "description": "Rows.",
        "items": {"type": "object", "properties": {"a": cell}},
    }
    fields = {"properties": {"rows": rows}, "required": ["rows"]}
    table = parse({"name": "table", "title": "T", "description": "T.", "fields": fields})
    empty = assemble(table, [read_answer(table, '{"rows": []}')], [Page(1, "x")], model="m")
    assert empty.confidence is not None
    assert empty.confidence < 0.5
    assert empty.needs_review


@pytest.fixture
def free() -> DocumentType:
    """A type that requires nothing."""
    cell = {"type": "string", "description": "A cell.", "x-kind": "text"}
    return parse(
        {"name": "free", "title": "F", "description": "F.", "fields": {"properties": {"a": cell}}}
    )


def test_without_required_fields_those_with_a_value_count(free: DocumentType) -> None:
    """Nothing found is nothing to be wrong about."""
    pages = [Page(1, "word")]
    some = assemble(free, [read_answer(free, '{"a": "word"}')], pages, model="m")
    none = assemble(free, [read_answer(free, '{"a": null}')], pages, model="m")
    assert some.confidence == _plain(some, "a").confidence
    assert (none.confidence, none.needs_review) == (None, False)


def test_a_type_without_fields_has_no_answer() -> None:
    """Other documents end without fields and without doubt."""
    extracted = assemble(builtin()["other"], [Reading({})], [], model="m")
    assert (extracted.fields, extracted.confidence, extracted.needs_review) == ({}, None, False)


def test_a_blank_document_lacks_every_field() -> None:
    """No model is asked about nothing; the required fields are doubtful all the same."""
    extracted = assemble(builtin()["receipt"], [Reading({})], [Page(1, "")], model="m")
    assert extracted.effective["total"] is None
    assert extracted.effective["lines"] == []
    assert extracted.needs_review


def test_several_windows_are_told(free: DocumentType) -> None:
    """A reader learns that the document was not seen at once."""
    readings = [read_answer(free, '{"a": null}'), read_answer(free, '{"a": "two"}')]
    extracted = assemble(free, readings, [Page(1, "one"), Page(2, "two")], model="m")
    assert extracted.effective == {"a": "two"}
    assert "read in 2 windows" in extracted.notices[0]


def test_the_parameters_can_be_given(free: DocumentType) -> None:
    """Weights fitted elsewhere replace those of the package."""
    own = parameters().model_copy(
        update={
            "families": {"default": parameters().family("m").model_copy(update={"present": {}})}
        }
    )
    extracted = assemble(
        free, [read_answer(free, '{"a": "word"}')], [Page(1, "word")], model="m", parameters=own
    )
    assert _plain(extracted, "a").confidence == 0.5
