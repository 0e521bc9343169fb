"""The total is told from all other amounts by words, by arithmetic and by its place."""

import pytest

from local.models.extraction.rows import read_rows
from local.models.extraction.sheet import read_sheet
from local.models.extraction.totals import rank_totals


def total_of(*lines: str) -> tuple[str, float]:
    """The amount that is ranked first, as printed, and its score."""
    best = rank_totals(read_rows(read_sheet("\n".join(lines))))[0]
    return best.line.text[best.start : best.end], best.score


def test_tendered_less_change_is_the_total() -> None:
    """What was paid less what came back proves a total without a word for it."""
    value, score = total_of("TEA 3.50", "CAKE 5.50", "AMT 9.00", "CASH 10.00", "CHANGE 1.00")
    assert value == "9.00"
    assert score > 0.6


def test_a_proved_total_is_surer_than_a_labelled_one() -> None:
    """Arithmetic raises the score of the same label."""
    proved = total_of("TOTAL 9.00", "CASH 10.00", "CHANGE 1.00")
    bare = total_of("TOTAL 9.00")
    assert proved[0] == bare[0] == "9.00"
    assert proved[1] > bare[1]


def test_the_rounded_total_is_the_one_to_pay() -> None:
    """A rounding line moves the total to the amount after it."""
    value, _ = total_of(
        "Total Sales (Inclusive GST) RM 177.22",
        "Rounding Adjustment RM -.02",
        "Rounding RM 177.20",
        "CREDIT RM 177.20",
    )
    assert value == "177.20"


def test_a_tax_summary_does_not_count() -> None:
    """The rows of a tax summary repeat the total in parts."""
    value, _ = total_of(
        "TOTAL (INCL GST) 15.90",
        "GST SUMMARY AMOUNT(RM) TAX(RM)",
        "SR 15.00 0.90",
        "TOTAL 15.00 0.90",
    )
    assert value == "15.90"


@pytest.mark.parametrize(
    "other",
    [
        "SUB TOTAL 99.00",
        "TOTAL QTY 99.00",
        "TOTAL GST 6% 99.00",
        "TOTAL SAVING 99.00",
        "TOTAL (EXCLUDING GST) 99.00",
        "CASH 99.00",
        "Zwischensumme 99,00",
        "Total HT 99,00",
    ],
)
def test_other_totals_are_not_the_total(other: str) -> None:
    """Part sums, counts, taxes, savings and payments rank below the total."""
    value, _ = total_of("TOTAL 12.50", other)
    assert value == "12.50"


@pytest.mark.parametrize(
    "line",
    [
        "IUIAL (GSI INUL) 2.28",
        "TOTALAMOUNTDUE 2.28",
        "T0TAL 2.28",
        "JUMLAH BESAR 2.28",
        "SUMME EUR 2,28",
    ],
)
def test_the_word_is_seen_through_faint_print(line: str) -> None:
    """Glued and misread words are recognised."""
    value, score = total_of("100 PLUS 500ML 1.00", line, "OTHER 9.99")
    assert value.replace(",", ".") == "2.28"
    assert score > 0.5


def test_the_word_may_stand_on_the_line_above() -> None:
    """An amount alone on a line takes the words of the line above it."""
    value, _ = total_of("PETROL 16.32 41.00", "TOTAL AMOUNT PAYABLE", "   RM 41.95")
    assert value == "41.95"


def test_part_rate_and_tax_prove_each_other() -> None:
    """Without a single label the sum of a part and its tax is the total."""
    value, score = total_of("Work 1,010.00", "  1,010.00", "20 %  202.00", "  £1,212.00")
    assert value == "£1,212.00"
    assert score >= 0.7


def test_disagreeing_totals_lower_the_score() -> None:
    """Two amounts with the word total and no proof leave doubt."""
    assert total_of("TOTAL 9.00", "TOTAL 8.00")[1] < total_of("TOTAL 9.00")[1]


def test_a_page_without_amounts_has_no_total() -> None:
    """No amount, no candidate."""
    assert rank_totals(read_rows(read_sheet("nothing to pay"))) == []
