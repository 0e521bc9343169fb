"""Amounts are found and understood in the notations of several countries."""

from decimal import Decimal

import pytest

from local.models.extraction.amounts import (
    find_amounts,
    find_loose_amounts,
    find_percentages,
    find_quantities,
    to_number,
)


@pytest.mark.parametrize(
    ("text", "printed", "number"),
    [
        ("TOTAL RM 1,234.50", "1,234.50", "1234.50"),
        ("TOTALRM12.50", "12.50", "12.50"),
        ("TOTAL:12.50", "12.50", "12.50"),
        ("Summe 1.234,56 €", "1.234,56 €", "1234.56"),
        ("Total 1 234,56 €", "1 234,56 €", "1234.56"),
        ("Total 1\u202f234,56\u202f€", "1\u202f234,56\u202f€", "1234.56"),
        ("Betrag CHF 1'234.50", "1'234.50", "1234.50"),
        ("Due £1,212.00", "£1,212.00", "1212.00"),
        ("Total Amount:S8.20", "8.20", "8.20"),
        ("24.00SR", "24.00", "24.00"),
        ("refund -5.76", "-5.76", "-5.76"),
        ("refund 5.76-", "5.76-", "-5.76"),
        ("Grand Total Rs 1939", "1939", "1939"),
        ("1.204,10 EUR", "1.204,10 EUR", "1204.10"),
    ],
)
def test_an_amount_is_found_with_its_number(text: str, printed: str, number: str) -> None:
    """The span holds a sign that touches the number and no letters of a currency before it."""
    [found] = find_amounts(text)
    assert (text[found.start : found.end], found.number) == (printed, Decimal(number))


@pytest.mark.parametrize("text", ["6%", "12:30", "99.99.99", "1.240 kg", "RM99 2CC", "2018"])
def test_what_is_no_money_is_no_amount(text: str) -> None:
    """Rates, times, versions, weights, post codes and bare integers are left out."""
    assert find_amounts(text) == []


@pytest.mark.parametrize(
    ("text", "number"), [("8. 20", "8.20"), ("12.5O", "12.50"), ("-.02", "-0.02")]
)
def test_faint_amounts_are_read_where_asked_for(text: str, number: str) -> None:
    """Spaces at the point, letters for digits and missing zeros are read in labelled rows only."""
    [found] = find_loose_amounts(text)
    assert found.number == Decimal(number)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.234,56", "1234.56"), ("1,234.56", "1234.56"), ("6,5", "6.5"), ("-3", "-3")],
)
def test_the_last_separator_is_the_decimal_one(text: str, number: str) -> None:
    """English, German and French notations mean the same number."""
    assert to_number(text) == Decimal(number)


def test_a_text_without_digits_is_no_number() -> None:
    """Words have no number."""
    assert to_number("none") is None


def test_percentages_and_quantities_are_found_with_their_units() -> None:
    """A rate keeps its sign, a quantity its unit."""
    rate, count = "zzgl. 19 % MwSt.", "1.00 kg of beans"
    assert [rate[s:e] for s, e in find_percentages(rate)] == ["19 %"]
    assert [count[s:e] for s, e in find_quantities(count)] == ["1.00 kg"]
