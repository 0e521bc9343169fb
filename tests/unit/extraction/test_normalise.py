"""Values of every kind in the notations that documents print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.document_types import Kind
from streams.extraction.normalise import Hints, hints, normalise


@pytest.mark.parametrize(
    ("printed", "iso"),
    [
        ("25/12/2018", "2018-12-25"),
        ("25/12/20188:13PM", "2018-12-25"),
        ("25/01/20181:22:56PM", "2018-01-25"),
        ("Date: 25/12/18 8:13", "2018-12-25"),
        ("05 MAR 2018", "2018-03-05"),
        ("05MAR2018", "2018-03-05"),
        ("21 MARCH, 2018", "2018-03-21"),
        ("March 3rd, 2026", "2026-03-03"),
        ("12. März 2026", "2026-03-12"),
        ("1er août 2026", "2026-08-01"),
        ("3 Ogos 2019", "2019-08-03"),
        ("15-Mac-18", "2018-03-15"),
        ("2026-03-20", "2026-03-20"),
        ("2026/3/9", "2026-03-09"),
        ("03.04.26", "2026-04-03"),
        ("20181225", "2018-12-25"),
        ("O5/O3/2018", "2018-03-05"),
        ("28-09-2017(THU)", "2017-09-28"),
        ("12/31/2026", "2026-12-31"),
        ("31.12.1999", "1999-12-31"),
        ("1/1/99", "1999-01-01"),
    ],
)
def test_a_date_becomes_iso(printed: str, iso: str) -> None:
    """Dates in four languages and glued by OCR are read as the day they mean."""
    assert normalise(Kind.DATE, printed) == iso


@pytest.mark.parametrize("printed", ["99/99/2020", "31/02/2020", "hello", "12.50", "2 0 1 8", "5"])
def test_what_is_no_day_has_no_normal_form(printed: str) -> None:
    """Impossible days and other numbers are refused, never guessed."""
    assert normalise(Kind.DATE, printed) is None


def test_the_order_of_day_and_month_is_told_by_the_document() -> None:
    """A date that can be read one way only decides how the others are read."""
    american = hints(["Ordered 12/31/2025, delivered 04/03/2026"])
    british = hints(["Ordered 31/12/2025, delivered 04/03/2026"])
    assert normalise(Kind.DATE, "04/03/2026", american) == "2026-04-03"
    assert normalise(Kind.DATE, "04/03/2026", british) == "2026-03-04"


@pytest.mark.parametrize(
    ("text", "month_first"),
    [
        ("Fremont CA 94538  04/03/2026  $ 12.00", True),
        ("04/03/2026 Total $12.00", True),
        ("04/03/2026 Total RM 12.00", False),
        ("04/03/2026 Total $12.00 incl. GST", False),
        ("04/03/2026", False),
    ],
)
def test_the_country_decides_where_no_date_does(text: str, *, month_first: bool) -> None:
    """Months come first only where the United States are seen."""
    assert hints([text]).month_first is month_first


def test_a_date_without_a_year_takes_the_only_year_of_the_document() -> None:
    """Rows of a statement often leave the year out; two years in the text leave it open."""
    one = hints(["Statement 1 March 2026 to 31 March 2026"])
    two = hints(["Statement 1 December 2025 to 31 January 2026"])
    assert normalise(Kind.DATE, "02 Mar", one) == "2026-03-02"
    assert normalise(Kind.DATE, "02.03.", one) == "2026-03-02"
    assert normalise(Kind.DATE, "02 Mar", two) is None


@pytest.mark.parametrize(
    ("printed", "amount", "currency"),
    [
        ("1.234,56 €", "1234.56", "EUR"),
        ("1,234.56", "1234.56", None),
        ("1 234,56 EUR", "1234.56", "EUR"),
        ("1\u202f234,56 €", "1234.56", "EUR"),
        ("CHF 1'234.56", "1234.56", "CHF"),
        ("(12.50)", "-12.50", None),
        ("-5,00", "-5.00", None),
        ("5.00-", "-5.00", None),
        ("-€23.40", "-23.40", "EUR"),
        ("\u2212 7.10", "-7.10", None),
        ("RM9.00", "9.00", "MYR"),
        ("$8.20", "8.20", "USD"),
        ("Rs. 319", "319.00", "INR"),
        ("US$ 1,000,000.00", "1000000.00", "USD"),
        ("1.234.567", "1234567.00", None),
        ("0.500", "0.50", None),
        ("9 .00", "9.00", None),
        ("1O.00", "10.00", None),
        ("12.3456", "12.3456", None),
    ],
)
def test_an_amount_becomes_decimal(printed: str, amount: str, currency: str | None) -> None:
    """Grouping, decimal marks, signs and currencies of three languages are understood."""
    assert normalise(Kind.AMOUNT, printed) == {"amount": amount, "currency": currency}


@pytest.mark.parametrize("printed", ["", "free", "2 x 3.50", "1" * 30])
def test_what_is_not_one_amount_has_no_normal_form(printed: str) -> None:
    """No number, two numbers and absurdly long ones are refused."""
    assert normalise(Kind.AMOUNT, printed) is None


def test_the_document_tells_the_decimal_mark_and_the_currency() -> None:
    """`1.234` is a thousand where commas part decimals; a lone currency counts for all amounts."""
    german = hints(["Summe 12,50 € und 3,40 €"])
    english = hints(["Sum RM 12.50 and 3.40"])
    assert normalise(Kind.AMOUNT, "1.234", german) == {"amount": "1234.00", "currency": "EUR"}
    assert normalise(Kind.AMOUNT, "1.234", english) == {"amount": "1.234", "currency": "MYR"}
    assert normalise(Kind.AMOUNT, "$8.20", english) == {"amount": "8.20", "currency": "MYR"}


@pytest.mark.parametrize(
    ("kind", "printed", "normal"),
    [
        (Kind.QUANTITY, "2 pcs", 2),
        (Kind.QUANTITY, "1,5 kg", 1.5),
        (Kind.PERCENTAGE, "7,7 %", 7.7),
        (Kind.PERCENTAGE, "19%", 19),
        (Kind.IBAN, "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        (Kind.IBAN, "DE88 3704 0044 0532 0130 00", None),
        (Kind.IBAN, "US1234567890", None),
        (Kind.EMAIL, "Ann.Lee@Example.COM", "Ann.Lee@example.com"),
        (Kind.EMAIL, "ann at example", None),
        (Kind.PHONE, "+49 (0)30 123456", "+4930123456"),
        (Kind.PHONE, "(870)-931-0505", "8709310505"),
        (Kind.PHONE, "12", None),
        (Kind.URL, "WWW.Example.com/A", "www.example.com/A"),
        (Kind.URL, "https://Example.com", "https://example.com"),
        (Kind.URL, "javascript:alert(1)", None),
        (Kind.URL, "http://[broken", None),
        (Kind.PARTY, "  ACME \n Ltd ", "ACME Ltd"),
        ("of-tomorrow", "a  b", "a b"),
        (Kind.ADDRESS, "   ", None),
    ],
)
def test_other_kinds(kind: str, printed: str, normal: object) -> None:
    """Numbers, account numbers, contacts and texts take their plain form or none."""
    assert normalise(kind, printed) == normal


@given(st.sampled_from(list(Kind)), st.text(max_size=80), st.booleans())
def test_no_text_breaks_it(kind: Kind, text: str, month_first: bool) -> None:  # noqa: FBT001
    """Whatever a model answers, the outcome is a normal form or none."""
    hint = Hints(month_first=month_first, year=2026, mark=",", currency="EUR")
    assert normalise(kind, text, hint) is None or text.strip()
