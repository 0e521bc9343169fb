"""The reports: a long survey, an inspection as a web page, a German test report."""

from making import office, river_report
from making.sample import Sample, date, text

_INSPECTION = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Site inspection report</title></head>
<body>
<header><p>Plumbline Building Surveyors Ltd</p></header>
<h1>Site inspection report: Old Corn Exchange roof</h1>
<dl>
<dt>Report number</dt><dd>PBS-0619</dd>
<dt>Prepared for</dt><dd>Bristley Market Trust</dd>
<dt>Inspector</dt><dd>Dilys Raeburn</dd>
<dt>Report date</dt><dd>19 June 2026</dd>
</dl>
<h2>1. Observations</h2>
<p>We inspected the roof from a mobile platform on 16 June in dry weather. The slates of the
northern slope are sound. On the southern slope some forty slates have slipped.</p>
<h2>2. Defects found</h2>
<table>
<tr><th>No</th><th>Defect</th><th>Risk</th></tr>
<tr><td>1</td><td>Slipped slates above the entrance</td><td>high</td></tr>
<tr><td>2</td><td>Split lead at the valley gutter</td><td>medium</td></tr>
<tr><td>3</td><td>Loose mortar at the eastern chimney</td><td>medium</td></tr>
</table>
<h2>3. Conclusions and actions required</h2>
<ul>
<li>Close the entrance until the slates above it are secured.</li>
<li>Renew the lead before the autumn rains.</li>
<li>Inspect the chimney again from inside.</li>
</ul>
</body>
</html>
"""


def _test_report() -> bytes:
    return office.file(
        [
            office.words("Prüfstelle Waldheim GmbH, Labor für Baustoffe"),
            office.heading("Prüfbericht: Druckfestigkeit von Betonwürfeln", 0),
            office.grid(
                [
                    ("Bericht Nr.", "PW-26/1142"),
                    ("Auftraggeber", "Brückenbau Sorge AG"),
                    ("Verfasser", "Henrike Altmoor"),
                    ("Datum", "8. Juli 2026"),
                    ("Berichtszeitraum", "1. Juni bis 30. Juni 2026"),
                ]
            ),
            office.heading("1 Zusammenfassung"),
            office.words(
                "Geprüft wurden sechs Würfel aus dem Pfeiler West. Alle Werte liegen über der "
                "geforderten Festigkeit von 37 N/mm²."
            ),
            office.heading("2 Durchführung"),
            office.words(
                "Die Würfel wurden 28 Tage im Wasser gelagert und danach bis zum Bruch belastet. "
                "Die Prüfmaschine wurde im Mai kalibriert."
            ),
            office.heading("3 Messergebnisse"),
            office.grid(
                [
                    ("Probe", "Masse in kg", "Festigkeit in N/mm²"),
                    ("W1", "8,12", "41,3"),
                    ("W2", "8,09", "40,7"),
                    ("W3", "8,15", "42,0"),
                    ("W4", "8,11", "39,8"),
                    ("W5", "8,10", "41,1"),
                    ("W6", "8,14", "41,6"),
                ]
            ),
            office.heading("4 Bewertung"),
            office.words(
                "Der Beton entspricht den Anforderungen. Weitere Proben sind nicht nötig."
            ),
        ],
        title="Prüfbericht PW-26/1142",
    )


def samples() -> list[Sample]:
    """All reports."""
    return [
        Sample(
            "report-river-survey.pdf",
            "report",
            "long: its fields stand on the first of many pages",
            river_report.content,
            {
                "title": text("The Health of the River Alder"),
                "report_number": text("AVRT-2026-03"),
                "author": text("Rosalind Eaves"),
                "organisation": text("Alder Valley Rivers Trust"),
                "recipient": text("Alder Valley District Council"),
                "date": date("30 October 2026", "2026-10-30"),
                "period": text("4 May to 25 September 2026"),
            },
        ),
        Sample(
            "report-inspection.html",
            "report",
            "a web page whose values stand in a list of terms",
            _INSPECTION.encode,
            {
                "title": text("Site inspection report: Old Corn Exchange roof"),
                "report_number": text("PBS-0619"),
                "author": text("Dilys Raeburn"),
                "organisation": text("Plumbline Building Surveyors Ltd"),
                "recipient": text("Bristley Market Trust"),
                "date": date("19 June 2026", "2026-06-19"),
            },
        ),
        Sample(
            "pruefbericht.docx",
            "report",
            "German; tables of values",
            _test_report,
            {
                "title": text("Prüfbericht: Druckfestigkeit von Betonwürfeln"),
                "report_number": text("PW-26/1142"),
                "author": text("Henrike Altmoor"),
                "organisation": text("Prüfstelle Waldheim GmbH"),
                "recipient": text("Brückenbau Sorge AG"),
                "date": date("8. Juli 2026", "2026-07-08"),
                "period": text("1. Juni bis 30. Juni 2026"),
            },
        ),
    ]
