"""The name and the address at the head of a page are found without labels."""

import pytest

from local.models.extraction.letterhead import read_letterhead
from local.models.extraction.sheet import read_sheet


def head_of(*lines: str) -> tuple[str, str]:
    """The name and the address that head a page of these lines."""
    head = read_letterhead(read_sheet("\n".join(lines)))
    return head.name, head.address


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("tan ah kow", "CONTOH MAJU SDN BHD", "(123456-X)"), "CONTOH MAJU SDN BHD"),
        (("CONTOH MAJU SDN BHD (123456-X)", "MAJU MART"), "CONTOH MAJU SDN BHD"),
        (("CONTOHMAJUSDNBHD", "NO.5,JALANSATU"), "CONTOHMAJUSDNBHD"),
        (("TAX INVOICE", "KEDAI CONTOH", "NO 5, JALAN SATU"), "KEDAI CONTOH"),
        (("RUMAH HARDWARE &", "ELECTRICAL", "NO.1, JALAN DUA"), "RUMAH HARDWARE & ELECTRICAL"),
        (
            ("MAJU JAYA", "ENTERPRISE (BANDAR", "CONTOH) SDN BHD", "NO 1, JALAN DUA"),
            "MAJU JAYA ENTERPRISE (BANDAR CONTOH) SDN BHD",
        ),
        (("CONTOH", "SDN. BHD.", "12, JALAN TIGA"), "CONTOH SDN. BHD."),
        (("31801.017", "", "KOPI CONTOH", "NO 2, JALAN DUA"), "KOPI CONTOH"),
        (("Beispiel GmbH, Labor", "Hauptstr. 5"), "Beispiel GmbH"),
    ],
)
def test_the_name_heads_the_page(lines: tuple[str, ...], name: str) -> None:
    """Noise, headings and registration numbers are left out, two-line names are joined."""
    assert head_of(*lines)[0] == name


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (
            (
                "NO 5, JALAN SATU 1/2,",
                "TAMAN DUA,",
                "43300 BANDAR TIGA, SELANGOR",
                "TEL: 03-1234 5678",
            ),
            "NO 5, JALAN SATU 1/2, TAMAN DUA, 43300 BANDAR TIGA, SELANGOR",
        ),
        (
            ("NO.5:55,57&59,JALANSATU18", "TAMANDUA.", "81100JOHORBAHRU", "JOHOR."),
            "NO.5:55,57&59,JALANSATU18 TAMANDUA. 81100JOHORBAHRU JOHOR.",
        ),
        (
            (
                "(123456-X)",
                "CAWANGAN SATU",
                "4-20, JALAN RIA 25/62",
                "40400 SHAH ALAM",
                "GST ID 00012",
            ),
            "4-20, JALAN RIA 25/62 40400 SHAH ALAM",
        ),
        (
            ("LOT P.T. 33198, BATU 4", "JALAN DUA", "42100 KLANG", "INVOICE NO 7"),
            "LOT P.T. 33198, BATU 4 JALAN DUA 42100 KLANG",
        ),
        (
            ("CAR PARK OFFICE,", "BASEMENT 1, 47400 PETALING JAYA", "RECEIPT"),
            "CAR PARK OFFICE, BASEMENT 1, 47400 PETALING JAYA",
        ),
        (
            ("12 Mill Lane", "Ashford Bridge AB99 4CD", "Te1 01632 960144"),
            "12 Mill Lane Ashford Bridge AB99 4CD",
        ),
        (("Am Sägewerk 7", "83999 Bergthal", "Rechnung 5"), "Am Sägewerk 7 83999 Bergthal"),
        (
            ("6 impasse des Lilas", "99500 Bellerive", "Facture 5"),
            "6 impasse des Lilas 99500 Bellerive",
        ),
        (
            ("5, JALAN SATU, 40150 SHAH ALAM TEL: 03-12345678", "CASHIER: 1"),
            "5, JALAN SATU, 40150 SHAH ALAM",
        ),
    ],
)
def test_the_address_stands_under_the_name(lines: tuple[str, ...], address: str) -> None:
    """It ends before a telephone, a registration or a heading, and after its post code."""
    assert head_of("CONTOH SDN BHD", *lines)[1] == address


def test_what_follows_an_address_on_its_line_is_cut_off() -> None:
    """A telephone or a mail address behind a bar is no part of the address."""
    _, address = head_of(
        "CONTOH LTD", "12 Lake Road, Denver, CO 80202 | (303) 555-0188 | a@b.example"
    )
    assert address == "12 Lake Road, Denver, CO 80202"


def test_an_owner_below_the_address_is_not_the_name() -> None:
    """A company named after the letterhead is somebody else."""
    lines = (
        "KEDAI BUKU CONTOH",
        "NO. 3, JALAN SATU",
        "40170 SETIA",
        "TEL: 03-1",
        "OWNED BY :",
        "X SDN BHD",
    )
    assert head_of(*lines)[0] == "KEDAI BUKU CONTOH"


def test_a_legal_form_makes_a_name_surer() -> None:
    """A name with a legal form scores above one without any hint."""
    legal = read_letterhead(read_sheet("CONTOH SDN BHD\nNO 1, JALAN DUA"))
    plain = read_letterhead(read_sheet("CONTOH MAJU\nNO 1, JALAN DUA"))
    assert legal.name_score > plain.name_score


def test_a_hostile_house_number_ends() -> None:
    """A number of a hundred parts is given up in one pass."""
    name, _ = head_of("CONTOH SDN BHD", "1" + "-11" * 100 + "x", "1" + "/1a1" * 60)
    assert name == "CONTOH SDN BHD"


def test_an_empty_page_has_no_letterhead() -> None:
    """Nothing is named where nothing is printed."""
    assert head_of("") == ("", "")
