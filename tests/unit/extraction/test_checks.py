"""Cross-checks between values."""

import pytest
from pydantic import JsonValue

from schemas.document_types import DocumentType, parse
from streams.extraction.checks import run, tally
from streams.extraction.tokens import LeafPath


@pytest.fixture(scope="module")
def bill() -> DocumentType:
    """A type with a check of every kind."""

    def text(kind: str) -> dict[str, str]:
        return {"type": "string", "description": "A value.", "x-kind": kind}

    columns = {"units": text("quantity"), "price": text("amount"), "cost": text("amount")}
    rows = {
        "type": "array",
        "description": "Rows.",
        "items": {"type": "object", "properties": columns},
    }
    return parse(
        {
            "name": "bill",
            "title": "Bill",
            "description": "A bill.",
            "fields": {
                "properties": {
                    "rows": rows,
                    "net": text("amount"),
                    "tax": text("amount"),
                    "gross": text("amount"),
                    "made": text("date"),
                    "due": text("date"),
                }
            },
            "checks": [
                {
                    "kind": "product",
                    "rows": "rows",
                    "quantity": "units",
                    "unit_price": "price",
                    "amount": "cost",
                },
                {"kind": "sum", "parts": "rows.cost", "total": "net"},
                {"kind": "sum", "parts": ["net", "tax"], "total": "gross"},
                {"kind": "order", "before": "made", "after": "due"},
            ],
        }
    )


def _amount(text: str) -> dict[str, JsonValue]:
    return {"amount": text, "currency": None}


def _row(at: int, units: JsonValue, price: str, cost: str) -> dict[LeafPath, JsonValue]:
    return {
        ("rows", at, "units"): units,
        ("rows", at, "price"): _amount(price),
        ("rows", at, "cost"): _amount(cost),
    }


def test_a_bill_that_adds_up_passes_everything(bill: DocumentType) -> None:
    """Each value counts the checks that speak of it."""
    values = {
        **_row(0, 3, "3.33", "10.00"),
        **_row(1, 1.5, "2.00", "3.00"),
        ("net",): _amount("13.00"),
        ("tax",): _amount("2.60"),
        ("gross",): _amount("15.60"),
        ("made",): "2026-03-01",
        ("due",): "2026-03-01",
    }
    counts = tally(run(bill, values))
    assert counts[("net",)] == (2, 0)
    assert counts[("rows", 0, "cost")] == (2, 0)
    assert counts[("due",)] == (1, 0)
    assert {failed for _, failed in counts.values()} == {0}


def test_what_does_not_add_up_fails_for_all_involved(bill: DocumentType) -> None:
    """A wrong sum casts doubt on its parts as on its total."""
    values: dict[LeafPath, JsonValue] = {
        ("net",): _amount("10.00"),
        ("tax",): _amount("2.00"),
        ("gross",): _amount("12.03"),
    }
    assert tally(run(bill, values)) == {("net",): (0, 1), ("tax",): (0, 1), ("gross",): (0, 1)}


def test_rounding_is_allowed_a_cent_for_each_part(bill: DocumentType) -> None:
    """Two parts may be two cents off."""
    values: dict[LeafPath, JsonValue] = {
        ("net",): _amount("10.00"),
        ("tax",): _amount("2.00"),
        ("gross",): _amount("12.02"),
    }
    assert [verdict.holds for verdict in run(bill, values)] == [True]


@pytest.mark.parametrize("missing", [("net",), ("tax",), ("gross",)])
def test_a_missing_part_is_no_evidence(bill: DocumentType, missing: LeafPath) -> None:
    """A check that cannot be made is not counted, neither way."""
    values: dict[LeafPath, JsonValue] = {
        ("net",): _amount("10.00"), ("tax",): _amount("2.00"), ("gross",): _amount("12.00")
    }  # fmt: skip
    assert run(bill, {**values, missing: None}) == []


def test_a_row_that_is_not_understood_spoils_the_sum_of_rows(bill: DocumentType) -> None:
    """One unreadable cell makes the sum unavailable, but not the products of other rows."""
    values = {
        **_row(0, 2, "2.00", "4.00"),
        **_row(1, None, "1.00", "1.00"),
        ("net",): _amount("4.00"),
    }
    values[("rows", 1, "cost")] = None
    assert [verdict.paths[0] for verdict in run(bill, values)] == [("rows", 0, "units")]


def test_dates_out_of_order_fail(bill: DocumentType) -> None:
    """What is due before it was made is doubtful."""
    values: dict[LeafPath, JsonValue] = {("made",): "2026-03-02", ("due",): "2026-03-01"}
    assert [verdict.holds for verdict in run(bill, values)] == [False]
