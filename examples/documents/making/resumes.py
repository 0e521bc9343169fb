"""The resumes: one with a side column, one German, one in Markdown."""

from making import office, pdf
from making.sample import Sample, date, table, text, texts

_EXPERIENCE = "position employer period"
_EDUCATION = "degree institution period"
_DASH = "\N{EN DASH}"

_CONTACT = (
    "Contact\n"
    "+44 1632 960 377\n"
    "ottilie.brandt@example.org\n"
    "12 Spinners Court\nHalden HD99 7TT\n\n"
    "Skills\n"
    "Structural analysis\nTimber construction\nSite supervision\nCost estimates\n\n"
    "Languages\n"
    "English (native)\nNorwegian (fluent)\nDutch (basic)"
)
_CAREER = (
    "Experience\n\n"
    f"2021 {_DASH} 2026\nSenior Structural Engineer\nLarkfield Engineering Ltd\n"
    "Led the design of four timber bridges and a sports hall.\n\n"
    f"2016 {_DASH} 2021\nStructural Engineer\nHollis & Byrne Partnership\n"
    "Checked steel and timber frames of housing schemes.\n\n"
    "Education\n\n"
    f"2014 {_DASH} 2016\nMSc Structural Engineering\nUniversity of Eastmarch\n\n"
    f"2011 {_DASH} 2014\nBEng Civil Engineering\nHalden Technical College"
)


def _engineer() -> bytes:
    return pdf.pages(
        [
            pdf.words("Ottilie Brandt", 24),
            pdf.words("Structural Engineer", 12),
            pdf.gap(8),
            pdf.beside(_CONTACT, _CAREER, (62, 108)),
        ]
    )


_WORK = (
    ("03/2022 bis heute", "Krankenpfleger, Innere Medizin\nKlinikum Am Stadtwald, Musterstadt"),
    ("09/2018 bis 02/2022", "Krankenpfleger, Ambulanz\nSankt-Linden-Spital, Nebenstadt"),
)
_SCHOOL = (
    ("2015 bis 2018", "Examinierter Krankenpfleger\nPflegeschule Musterstadt"),
    ("2015", "Mittlere Reife\nRealschule Nebenstadt"),
)


def _nurse() -> bytes:
    return office.file(
        [
            office.heading("Lebenslauf", 0),
            office.grid(
                [
                    ("Name", "Caspar Wendelin"),
                    ("Anschrift", "Mühlgasse 8, 04999 Musterstadt"),
                    ("Telefon", "030 23125 417"),
                    ("E-Mail", "caspar.wendelin@example.org"),
                    ("Geburtsdatum", "17. August 1997"),
                ]
            ),
            office.heading("Berufserfahrung"),
            office.grid(_WORK),
            office.heading("Ausbildung"),
            office.grid(_SCHOOL),
            office.heading("Kenntnisse"),
            office.words("Wundversorgung", "List Bullet"),
            office.words("Praxisanleitung", "List Bullet"),
            office.words("Elektronische Patientenakte", "List Bullet"),
            office.heading("Sprachen"),
            office.words("Deutsch (Muttersprache), Englisch (gut), Türkisch (Grundkenntnisse)"),
        ],
        title="Lebenslauf",
    )


_DEVELOPER = f"""\
# Imre Castellane

**Data engineer**

Phone: +1 505 555 0163 | Email: imre.castellane@example.com | Web: https://castellane.example.com

## Profile

I build pipelines that still run when I am on holiday.

## Experience

### Data Engineer, Copperline Analytics Inc.

*June 2022 {_DASH} present*

- moved the nightly reports from a week of scripts to one stream
- halved the cost of storage

### Junior Developer, Mesa Weather Service

*January 2019 {_DASH} May 2022*

- wrote the importer of station readings

## Education

- BSc Computer Science, Dry River State University, 2018

## Skills

- Python
- SQL
- Apache Kafka
- Terraform

## Languages

- English
- Spanish
"""


def samples() -> list[Sample]:
    """All resumes."""
    return [
        Sample(
            "resume-two-columns.pdf",
            "resume",
            "a side column beside the career; no labels at phone and mail",
            _engineer,
            {
                "name": text("Ottilie Brandt"),
                "headline": text("Structural Engineer"),
                "email": text("ottilie.brandt@example.org"),
                "phone": text("+44 1632 960 377"),
                "address": text("12 Spinners Court\nHalden HD99 7TT"),
                "experience": table(
                    _EXPERIENCE,
                    (
                        "Senior Structural Engineer",
                        "Larkfield Engineering Ltd",
                        f"2021 {_DASH} 2026",
                    ),
                    ("Structural Engineer", "Hollis & Byrne Partnership", f"2016 {_DASH} 2021"),
                ),
                "education": table(
                    _EDUCATION,
                    (
                        "MSc Structural Engineering",
                        "University of Eastmarch",
                        f"2014 {_DASH} 2016",
                    ),
                    ("BEng Civil Engineering", "Halden Technical College", f"2011 {_DASH} 2014"),
                ),
                "skills": texts(
                    "Structural analysis",
                    "Timber construction",
                    "Site supervision",
                    "Cost estimates",
                ),
                "languages": texts("English (native)", "Norwegian (fluent)", "Dutch (basic)"),
            },
        ),
        Sample(
            "lebenslauf.docx",
            "resume",
            "German; all in tables, two facts in a cell",
            _nurse,
            {
                "name": text("Caspar Wendelin"),
                "email": text("caspar.wendelin@example.org"),
                "phone": text("030 23125 417"),
                "address": text("Mühlgasse 8, 04999 Musterstadt"),
                "date_of_birth": date("17. August 1997", "1997-08-17"),
                "experience": table(
                    _EXPERIENCE,
                    (
                        "Krankenpfleger, Innere Medizin",
                        "Klinikum Am Stadtwald",
                        "03/2022 bis heute",
                    ),
                    ("Krankenpfleger, Ambulanz", "Sankt-Linden-Spital", "09/2018 bis 02/2022"),
                ),
                "education": table(
                    _EDUCATION,
                    ("Examinierter Krankenpfleger", "Pflegeschule Musterstadt", "2015 bis 2018"),
                    ("Mittlere Reife", "Realschule Nebenstadt", "2015"),
                ),
                "skills": texts("Wundversorgung", "Praxisanleitung", "Elektronische Patientenakte"),
                "languages": texts(
                    "Deutsch (Muttersprache)", "Englisch (gut)", "Türkisch (Grundkenntnisse)"
                ),
            },
        ),
        Sample(
            "resume-developer.md",
            "resume",
            "Markdown; position and employer in one heading",
            _DEVELOPER.encode,
            {
                "name": text("Imre Castellane"),
                "headline": text("Data engineer"),
                "email": text("imre.castellane@example.com"),
                "phone": text("+1 505 555 0163"),
                "website": text("https://castellane.example.com"),
                "experience": table(
                    _EXPERIENCE,
                    (
                        "Data Engineer",
                        "Copperline Analytics Inc.",
                        f"June 2022 {_DASH} present",
                    ),
                    (
                        "Junior Developer",
                        "Mesa Weather Service",
                        f"January 2019 {_DASH} May 2022",
                    ),
                ),
                "education": table(
                    _EDUCATION,
                    ("BSc Computer Science", "Dry River State University", "2018"),
                ),
                "skills": texts("Python", "SQL", "Apache Kafka", "Terraform"),
                "languages": texts("English", "Spanish"),
            },
        ),
    ]
