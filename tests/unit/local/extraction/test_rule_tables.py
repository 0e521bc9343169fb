"""Tables, lists, sections and pairs are read whole, row by row."""

from typing import Any

from local.models.extraction import extract


def table(**columns: str) -> dict[str, Any]:
    """A schema with one table whose columns have these kinds."""
    properties = {name: {"type": "string", "x-kind": kind} for name, kind in columns.items()}
    rows = {"type": "array", "items": {"type": "object", "properties": properties}}
    return {"type": "object", "properties": {"rows": rows}}


LINES = table(description="text", quantity="quantity", unit_price="amount", amount="amount")
BOOKINGS = table(date="date", description="text", amount="amount", balance="amount")


def rows_of(text: str, schema: dict[str, Any]) -> list[tuple[str | None, ...]]:
    """The rows of the table in a text, as tuples in the order of its columns."""
    return [tuple(row.values()) for row in extract(text, schema).values["rows"]]


def test_cells_belong_to_the_header_above_them() -> None:
    """Columns that are not asked for are left out."""
    text = (
        "Description            Quantity   Unit price   Disc.   Amount\n"
        "Beeswax XL              1.00 kg        42.00    0.00    42.00\n"
        "Acme beeswax\n"
        "Office chair           2.00 pcs        70.00   10.00   126.00\n"
        "                                               Total   168.00"
    )
    assert rows_of(text, LINES) == [
        ("Beeswax XL Acme beeswax", "1.00", "42.00", "42.00"),
        ("Office chair", "2.00", "70.00", "126.00"),
    ]


def test_rows_without_a_header_are_told_by_order() -> None:
    """The last amount is the row's, the one before it the price."""
    text = "2 x Croissant @ 1.80    3.60\n1 x Flat white @ 3.20   3.20\nTOTAL   6.80"
    assert rows_of(text, LINES) == [
        ("Croissant", "2", "1.80", "3.60"),
        ("Flat white", "1", "3.20", "3.20"),
    ]


def test_words_above_a_row_are_its_description() -> None:
    """Till slips print the name first and the price below."""
    text = "Vollkornbrot   3,49 A\nJoghurt natur\n  3 x  0,89    2,67 A\nSUMME EUR  6,16"
    assert rows_of(text, LINES) == [
        ("Vollkornbrot", None, None, "3,49"),
        ("Joghurt natur", "3", "0,89", "2,67"),
    ]


def test_bookings_run_over_pages_and_keep_signs() -> None:
    """A header on the next page goes on with the same table; carried balances are no rows."""
    head = "Date     Description            Amount     Balance"
    text = (
        f"{head}\nOpening balance                           100.00\n"
        "02 Mar 2026  Rent                 -80.00       20.00\f"
        f"{head}\n03/03    Salary                 50.00       70.00\nClosing balance       70.00"
    )
    assert rows_of(text, BOOKINGS) == [
        ("02 Mar 2026", "Rent", "-80.00", "20.00"),
        ("03/03", "Salary", "50.00", "70.00"),
    ]


def test_debit_and_credit_are_one_amount() -> None:
    """Two columns may head the same field, of which each row fills one."""
    schema = table(date="date", description="text", amount="amount", balance="amount")
    schema["properties"]["rows"]["items"]["properties"]["amount"]["x-labels"] = [
        "paid out",
        "paid in",
    ]
    text = (
        "Date         Description        Paid out     Paid in     Balance\n"
        "02 Mar 2026  Rent                  80.00                   20.00\n"
        "03 Mar 2026  Salary                            50.00       70.00"
    )
    assert rows_of(text, schema) == [
        ("02 Mar 2026", "Rent", "80.00", "20.00"),
        ("03 Mar 2026", "Salary", "50.00", "70.00"),
    ]


def test_a_row_that_multiplies_out_is_surer() -> None:
    """Count times price gives the amount, or does not."""
    fit = extract("2 x Tea 1.50  3.00", LINES).scores["rows"][0]["amount"]
    unfit = extract("2 x Tea 1.50  4.00", LINES).scores["rows"][0]["amount"]
    assert fit > unfit


def test_a_form_is_pairs() -> None:
    """Boxes with a gap or with a colon become a label and an answer."""
    pairs = table(label="text", answer="text")
    gap = "Full name       Tobias M.\nDate of birth   30 November 1988"
    colon = "Full name: Tobias M.\nDate of birth: ______"
    assert rows_of(gap, pairs) == [
        ("Full name", "Tobias M."),
        ("Date of birth", "30 November 1988"),
    ]
    assert rows_of(colon, pairs) == [("Full name", "Tobias M."), ("Date of birth", None)]


RESUME: dict[str, Any] = {
    "type": "object",
    "properties": {
        "experience": {
            "type": "array",
            "x-labels": ["experience", "berufserfahrung"],
            "items": {
                "type": "object",
                "properties": {
                    "position": {"x-kind": "text"},
                    "employer": {"x-kind": "party"},
                    "period": {"x-kind": "period"},
                },
            },
        },
        "skills": {
            "type": "array",
            "x-kind": "list-of-text",
            "x-labels": ["skills", "kenntnisse"],
            "items": {"type": "string"},
        },
    },
}


def test_entries_of_a_section_by_their_periods() -> None:
    """A period begins an entry or stands under its words."""
    above = "Experience\n\nData Engineer, Copperline Inc.\n\nJune 2022 - present\n\nSkills\n- SQL"
    beside = (
        "Berufserfahrung\n03/2022 bis heute    Krankenpfleger, Innere Medizin\n"
        "                     Klinikum Wald, Musterstadt\nKenntnisse\nWundversorgung"
    )
    first, second = (extract(text, RESUME).values for text in (above, beside))
    assert first["experience"] == [
        {
            "position": "Data Engineer",
            "employer": "Copperline Inc.",
            "period": "June 2022 - present",
        }
    ]
    assert second["experience"] == [
        {
            "position": "Krankenpfleger, Innere Medizin",
            "employer": "Klinikum Wald",
            "period": "03/2022 bis heute",
        }
    ]
    assert (first["skills"], second["skills"]) == (["SQL"], ["Wundversorgung"])


def test_sections_in_two_columns_are_not_mixed() -> None:
    """The headings' left edges tell the columns."""
    text = (
        "Skills                        Experience\n"
        "Timber construction           2016 - 2021\n"
        "Site supervision              Structural Engineer\n"
        "                              Hollis Partnership"
    )
    values = extract(text, RESUME).values
    assert values["skills"] == ["Timber construction", "Site supervision"]
    assert values["experience"][0]["employer"] == "Hollis Partnership"


def test_a_list_on_one_line_is_cut_at_commas() -> None:
    """Commas within brackets do not cut."""
    values = extract("Skills: Python, SQL (Postgres, SQLite), Kafka", RESUME).values
    assert values["skills"] == ["Python", "SQL (Postgres, SQLite)", "Kafka"]
