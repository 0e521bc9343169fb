"""The forms: boxes and ticks, printed, scanned and as a web page."""

from making import pdf, scan
from making.sample import Sample, date, table, text

_PERMIT = (
    ("Full name", "Tobias Merriweather"),
    ("Date of birth", "30 November 1988"),
    ("Address", "4 Tollgate Mews, Elmsworth EW99 6HH"),
    ("Daytime phone", "01632 960 588"),
    ("Email", "t.merriweather@example.org"),
    ("Vehicle registration", "XX99 ABC"),
    ("Zone", "E4"),
)


def _permit() -> bytes:
    return pdf.pages(
        [
            pdf.words("Elmsworth Borough Council", 9),
            pdf.heading("Application for a Resident's Parking Permit", 15),
            pdf.words("Form PP-7   |   Please complete in block capitals.", 9),
            pdf.heading("Section A: your details"),
            pdf.grid(_PERMIT, (60, 110), size=10),
            pdf.gap(4),
            pdf.heading("Section B: your application"),
            pdf.words("[X] New permit      [ ] Renewal      [ ] Change of vehicle"),
            pdf.words("[X] 12 months      [ ] 6 months"),
            pdf.heading("Section C: declaration"),
            pdf.words(
                "I declare that I live at the address given above and that the vehicle is kept "
                "for my own use. I understand that a false declaration may be an offence."
            ),
            pdf.beside("Signed: T. Merriweather", "Date: 7 September 2026"),
            pdf.gap(6),
            pdf.words("For office use only:   Received ________   Permit no ________", 8),
        ]
    )


_MEMBER = (
    ("Name, Vorname", "Ostrowe, Liv"),
    ("Geburtsdatum", "22.06.1994"),
    ("Anschrift", "Deichstraße 15, 04996 Uferstadt"),
    ("Telefon", "030 23125 903"),
    ("E-Mail", "liv.ostrowe@example.org"),
    ("Boot", "Jolle, 4,20 m"),
)


def _member() -> bytes:
    page = pdf.pages(
        [
            pdf.heading("Ruder- und Segelverein Uferstadt e. V.", 13),
            pdf.heading("Antrag auf Mitgliedschaft", 17),
            pdf.words("Bitte in Druckschrift ausfüllen und Zutreffendes ankreuzen.", 11),
            pdf.gap(4),
            pdf.grid(_MEMBER, (60, 110), size=12),
            pdf.gap(6),
            pdf.words("Beitrag:   [X] Erwachsene   [ ] Jugend   [ ] Familie", 12),
            pdf.gap(6),
            pdf.words(
                "Ich erkenne die Satzung des Vereins an und erteile mein Einverständnis zum Einzug "
                "des Beitrags.",
                12,
            ),
            pdf.gap(6),
            pdf.words("Datum: 11.04.2026", 12),
            pdf.words("Unterschrift: Liv Ostrowe", 12),
        ]
    )
    return scan.tiff(page, scan.Scanner(dots=200, angle=0.5, blur=0.5))


_INSCRIPTION = """\
<!doctype html>
<html lang="fr">
<head><meta charset="utf-8"><title>Formulaire d'inscription</title></head>
<body>
<h1>Formulaire d'inscription à l'atelier de céramique</h1>
<p>Maison des Arts de Rivebelle. Dossier n° 2026-AC-58</p>
<table>
<tr><th>Nom et prénom</th><td>Desrosiers Élodie</td></tr>
<tr><th>Née le</th><td>9 avril 2001</td></tr>
<tr><th>Adresse</th><td>31 rue du Moulin, 99200 Rivebelle</td></tr>
<tr><th>Téléphone</th><td>01 99 00 47 12</td></tr>
<tr><th>Courriel</th><td>elodie.desrosiers@example.org</td></tr>
<tr><th>Niveau</th><td>débutant</td></tr>
</table>
<p>Cochez la case : ☒ mardi soir ☐ samedi matin</p>
<p>Fait le 2 septembre 2026. Signature : É. Desrosiers</p>
</body>
</html>
"""


def samples() -> list[Sample]:
    """All forms."""
    return [
        Sample(
            "form-parking-permit.pdf",
            "form",
            "boxes in a table, ticks, an empty part for the office",
            _permit,
            {
                "title": text("Application for a Resident's Parking Permit"),
                "form_number": text("PP-7"),
                "applicant": text("Tobias Merriweather"),
                "date_of_birth": date("30 November 1988", "1988-11-30"),
                "address": text("4 Tollgate Mews, Elmsworth EW99 6HH"),
                "email": text("t.merriweather@example.org"),
                "phone": text("01632 960 588"),
                "date": date("7 September 2026", "2026-09-07"),
                "entries": table("label answer", *_PERMIT),
            },
        ),
        Sample(
            "mitgliedsantrag.tiff",
            "form",
            "a black and white scan of a German form",
            _member,
            {
                "title": text("Antrag auf Mitgliedschaft"),
                "applicant": text("Ostrowe, Liv"),
                "date_of_birth": date("22.06.1994", "1994-06-22"),
                "address": text("Deichstraße 15, 04996 Uferstadt"),
                "email": text("liv.ostrowe@example.org"),
                "phone": text("030 23125 903"),
                "date": date("11.04.2026", "2026-04-11"),
                "entries": table("label answer", *_MEMBER),
            },
        ),
        Sample(
            "inscription.html",
            "form",
            "French; a web page",
            _INSCRIPTION.encode,
            {
                "title": text("Formulaire d'inscription à l'atelier de céramique"),
                "form_number": text("2026-AC-58"),
                "applicant": text("Desrosiers Élodie"),
                "date_of_birth": date("9 avril 2001", "2001-04-09"),
                "address": text("31 rue du Moulin, 99200 Rivebelle"),
                "email": text("elodie.desrosiers@example.org"),
                "phone": text("01 99 00 47 12"),
                "date": date("2 septembre 2026", "2026-09-02"),
                "entries": table(
                    "label answer",
                    ("Nom et prénom", "Desrosiers Élodie"),
                    ("Née le", "9 avril 2001"),
                    ("Adresse", "31 rue du Moulin, 99200 Rivebelle"),
                    ("Téléphone", "01 99 00 47 12"),
                    ("Courriel", "elodie.desrosiers@example.org"),
                    ("Niveau", "débutant"),
                ),
            },
        ),
    ]
