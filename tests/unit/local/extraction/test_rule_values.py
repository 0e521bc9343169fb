"""Values that are known by their shape are found whole, and nothing else is."""

import pytest

from local.models.extraction.values import find_tax_numbers, find_values, has_shape, valid_iban


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("email", "Mail: t.merriweather@example.org, thanks", "t.merriweather@example.org"),
        ("phone", "Tel (410) 555-0142", "(410) 555-0142"),
        ("phone", "+44 1632 960 377", "+44 1632 960 377"),
        ("url", "see www.example.com/a?b=1, please", "www.example.com/a?b=1"),
        ("url", "castellane.example.com", "castellane.example.com"),
        ("iban", "IBAN DE89 3704 0044 0532 0130 00 | USt", "DE89 3704 0044 0532 0130 00"),
        ("iban", "FR1420041010050500013M02606", "FR1420041010050500013M02606"),
        ("identifier", "INV/2023/03/0008", "INV/2023/03/0008"),
        ("identifier", ": # BLR_WFLD2015", "BLR_WFLD2015"),
        ("identifier", "GB 999 9999 73", "GB 999 9999 73"),
        ("identifier", "RIVRFR2X", "RIVRFR2X"),
        ("percentage", "VAT 6.25%", "6.25%"),
        ("period", "an initial term of twelve months", "twelve months"),
        ("period", "eine Frist von drei Monaten", "drei Monaten"),
        ("period", "préavis de six mois", "six mois"),
        ("date", "Statement of March 2026", "March 2026"),
        ("date", "20260303", "20260303"),
    ],
)
def test_a_value_is_found_by_its_shape(kind: str, text: str, value: str) -> None:
    """The value is taken whole and without what stands around it."""
    first = find_values(kind, text)[0]
    assert text[first.start : first.end] == value


def test_a_phone_is_no_date() -> None:
    """A date of digits is not taken for a telephone number."""
    assert find_values("phone", "25-12-2018") == []


def test_check_digits_tell_an_iban() -> None:
    """A wrong digit makes an IBAN invalid and its certainty low."""
    assert valid_iban("GB82 WEST 1234 5698 7654 32")
    [wrong] = find_values("iban", "GB83 WEST 1234 5698 7654 32")
    assert wrong.certainty <= 0.5


def test_tax_numbers_are_told_from_ibans() -> None:
    """A country and nine digits are a VAT number, an IBAN is none."""
    text = "TVA FR 99 999999999"
    [found] = find_tax_numbers(text)
    assert text[found.start : found.end] == "FR 99 999999999"
    assert find_tax_numbers("FR14 2004 1010 0505 0001 3M02 606") == []


def test_texts_have_no_shape() -> None:
    """Free text is not known by its shape."""
    assert not has_shape("text")
    assert find_values("text", "anything") == []
