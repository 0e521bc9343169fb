"""The long report: a survey of fourteen places on a river, written from a table of measurements."""

from typing import NamedTuple

from making import pdf


class _Station(NamedTuple):
    place: str
    kilometre: float
    bank: str
    nitrate: float
    oxygen: float
    clarity: int
    species: int
    note: str


_STATIONS = (
    _Station(
        "Alderholt Spring",
        0.4,
        "meadow",
        4.1,
        10.9,
        140,
        31,
        "The water rises through chalk between cress beds that were given up in the "
        "sixties. Bullhead and caddis were found on every visit.",
    ),
    _Station(
        "Upper Mill",
        3.2,
        "willow scrub",
        5.0,
        10.4,
        125,
        29,
        "The mill race is dry and the river runs in its old bed again, over clean "
        "gravel. Trout spawn below the footbridge.",
    ),
    _Station(
        "Hay Bridge",
        7.8,
        "grazed pasture",
        8.6,
        9.7,
        95,
        22,
        "Cattle drink at the bridge and have worn the bank away over some sixty metres. "
        "A fence on one side would be a beginning.",
    ),
    _Station(
        "Stony Ford",
        11.5,
        "gravel",
        8.9,
        10.1,
        102,
        26,
        "The ford is shallow and quick, and the stones are free of silt. Stonefly "
        "larvae were found here and nowhere below.",
    ),
    _Station(
        "Larkfield Weir",
        15.0,
        "concrete wall",
        11.7,
        9.2,
        70,
        15,
        "Above the weir the river stands almost still. Duckweed covered half of it in "
        "August, and the net came up with leeches and little else.",
    ),
    _Station(
        "Larkfield Works",
        16.3,
        "sheet piling",
        19.4,
        7.1,
        41,
        9,
        "The outfall lies forty metres above our place. On four of six visits foam "
        "stood along the piling, and the smell was noted twice.",
    ),
    _Station(
        "Osier Island",
        19.9,
        "reed bed",
        14.2,
        8.0,
        58,
        18,
        "The river divides round an island of reed that nobody has cut for years. "
        "Within it the water is clear enough to see the bed.",
    ),
    _Station(
        "Twelve Acre",
        24.1,
        "arable field",
        17.8,
        7.6,
        49,
        13,
        "The field is ploughed to within a metre of the edge. After the rain of 12 July "
        "the ditch on the left bank ran brown for two days.",
    ),
    _Station(
        "Church Hollin",
        28.7,
        "gardens",
        16.5,
        7.9,
        52,
        14,
        "Gardens come down to the water on both sides. Two drains that no map shows "
        "were reported to the council.",
    ),
    _Station(
        "Hollin Lock",
        31.2,
        "brick wall",
        15.9,
        7.4,
        47,
        11,
        "Between brick walls there is no bank for a plant to hold. Boats stir the bed "
        "on summer days, and clarity is worst at noon.",
    ),
    _Station(
        "Otter Pool",
        36.6,
        "alder wood",
        12.8,
        8.8,
        66,
        21,
        "Alder roots hold both banks, and fallen trunks were left where they lay. "
        "Tracks of otters were seen in May and in September.",
    ),
    _Station(
        "Fenside",
        41.0,
        "peat ditch",
        13.5,
        8.1,
        38,
        17,
        "Peat colours the water brown, which lowers the clarity without doing harm. The "
        "June reading was repeated after a storm.",
    ),
    _Station(
        "Saltby Bridge",
        46.4,
        "flood bank",
        14.9,
        7.7,
        35,
        12,
        "The tide is felt here twice a day. Shrimps replace the larvae of the upper "
        "river, so that the counts are not quite comparable.",
    ),
    _Station(
        "Saltby Sluice",
        49.8,
        "tidal mud",
        15.2,
        7.2,
        22,
        10,
        "At low water the sluice lets the river out over mud. The August reading was "
        "repeated because the gate had been left open.",
    ),
)

_VISITS = (
    ("May", -0.12),
    ("June", -0.06),
    ("July", 0.02),
    ("August", 0.08),
    ("Late August", 0.1),
    ("September", -0.02),
)
"""When each place was visited, and by which share of the mean the nitrate then differed."""

_OPENING = (
    (
        "1. Summary",
        (
            "Between 4 May and 25 September 2026 we visited fourteen places on the River Alder, "
            "from its spring to the sluice at Saltby, and measured the same four things at each: "
            "nitrate, dissolved oxygen, clarity of the water and the number of invertebrate "
            "species on the bed. The upper river is in good health. Below Larkfield it is not: "
            "nitrate doubles within less than two kilometres, and the number of species "
            "falls by two fifths."
        ),
        (
            "The cause is not one pipe alone. The works at Larkfield account for about half of the "
            "rise, and the fields between Osier Island and Church Hollin for most of the rest. "
            "Where the banks are wooded or reeded the river recovers visibly, which is the "
            "cheapest lesson of the survey. We recommend three measures in section 17."
        ),
    ),
    (
        "2. Introduction",
        (
            "The River Alder rises in chalk meadow and runs for fifty kilometres through farmland "
            "and two small towns to the sea. It was last surveyed along its whole length in 1998. "
            "Since then the works at Larkfield have grown, pasture has become arable land, and the "
            "town of Hollin has walled its banks. Anglers have reported fewer fish each year."
        ),
        (
            "The Alder Valley Rivers Trust was asked to find out where along the river the change "
            "takes place. This report gives the measurements, describes each place, and draws such "
            "conclusions as one season can bear. It does not set blame, and it does not replace "
            "the sampling that the law asks of those who discharge into the river."
        ),
    ),
    (
        "3. Method",
        (
            "Each place was visited six times, about every four weeks, between nine in the morning "
            "and noon. Nitrate was measured with a field photometer that was checked against a "
            "standard solution before each day's work. Oxygen was measured at a depth of thirty "
            "centimetres. Clarity is the depth at which a white disc of twenty centimetres can no "
            "longer be seen, or the length of a horizontal sighting tube where the river was too "
            "shallow. Species were counted from three kicks of the net, of one minute each."
        ),
        (
            "The figures in this report are means of the six visits. Two visits, to Fenside in "
            "June and to Saltby Sluice in August, were repeated because the tide or the rain had "
            "made the first reading useless. Nothing else was left out."
        ),
    ),
)

_CLOSING = (
    (
        "16. Discussion",
        (
            "Three stretches can be told apart. From the spring to Stony Ford the river carries "
            "little nitrate and much oxygen, and the count of species lies above twenty "
            "everywhere. From Larkfield Weir to Hollin Lock all four measures are at their worst, "
            "and the worst place of all is the outfall of the works. From Otter Pool to the sea "
            "the river recovers in part, although mud stirred by the tide keeps the water dark."
        ),
        (
            "Clarity and species go together more closely than any other two measures. That does "
            "not prove that one causes the other. Both suffer from silt, and silt comes from banks "
            "without roots. Osier Island and Otter Pool, where the banks are held by reed and "
            "alder, stand out from their neighbours on both sides, in every month."
        ),
        (
            "One season is short. The summer of 2026 was drier than most, which raises the share "
            "of treated water in the river and with it nitrate. The differences between places are "
            "however far larger than the differences between months."
        ),
    ),
    (
        "17. Conclusions and recommendations",
        (
            "First, the works at Larkfield should be fitted with a further stage of treatment. "
            "Until then the outfall should be sampled every week and the results published."
        ),
        (
            "Second, a strip of ten metres along both banks between Osier Island and Church Hollin "
            "should be taken out of the plough and planted with alder and osier. We estimate that "
            "this needs 18.5 hectares and the consent of seven owners."
        ),
        (
            "Third, the survey should be repeated in 2028 with the same places and the same "
            "method, so that the effect of both measures can be told from the weather."
        ),
        (
            "We thank the owners who let us cross their land, and the twenty-three volunteers "
            "without whom there would have been no net in the water."
        ),
    ),
)


def _section(title: str, *paragraphs: str) -> list[object]:
    return [
        pdf.heading(title, 14),
        *(pdf.words(paragraph, 12) for paragraph in paragraphs),
        pdf.gap(4),
    ]


def _place(number: int, station: _Station) -> list[object]:
    neighbours = [other for other in _STATIONS if other is not station]
    richer = sum(other.species > station.species for other in neighbours)
    clearer = sum(other.clarity > station.clarity for other in neighbours)
    limits = ((10, "good"), (15, "moderate"), (100, "poor"))
    state = next(name for limit, name in limits if station.nitrate < limit)
    return [
        *_section(
            f"{number}. {station.place}",
            f"{station.place} lies at kilometre {station.kilometre} below the spring. The bank is "
            f"{station.bank}. The mean of nitrate was {station.nitrate} mg/l, which we call "
            f"{state}, and the mean of oxygen was {station.oxygen} mg/l.",
            f"The disc could be seen to a depth of {station.clarity} cm; {clearer} of the other "
            f"thirteen places had clearer water. The nets brought up {station.species} species of "
            f"invertebrates, and {richer} places had more.",
            station.note,
        ),
        pdf.grid(
            [
                ("Visit", "Nitrate, mg/l", "Oxygen, mg/l", "Clarity, cm"),
                *(_visit(month, share, station) for month, share in _VISITS),
                (
                    "Mean",
                    f"{station.nitrate:.1f}",
                    f"{station.oxygen:.1f}",
                    f"{station.clarity:.0f}",
                ),
            ],
            (50, 40, 40, 40),
            right=(1, 2, 3),
            size=12,
        ),
        pdf.gap(10),
    ]


def _visit(month: str, share: float, station: _Station) -> tuple[str, str, str, str]:
    """One row of measurements: the mean, more or less by a share of it."""
    return (
        month,
        f"{station.nitrate * (1 + share):.1f}",
        f"{station.oxygen * (1 - share / 3):.1f}",
        f"{station.clarity * (1 - share):.0f}",
    )


def content() -> bytes:
    """The report as a PDF of about twelve pages, most of them text."""
    overview = [
        (
            station.place,
            f"{station.kilometre}",
            f"{station.nitrate}",
            f"{station.oxygen}",
            f"{station.clarity}",
            f"{station.species}",
        )
        for station in _STATIONS
    ]
    story = [
        pdf.gap(50),
        pdf.words("Alder Valley Rivers Trust", 14),
        pdf.heading("The Health of the River Alder", 26),
        pdf.words("Report No. AVRT-2026-03", 12),
        pdf.words("Prepared for: Alder Valley District Council", 12),
        pdf.words("Author: Rosalind Eaves", 12),
        pdf.words("Date: 30 October 2026", 12),
        pdf.words("Period covered: 4 May to 25 September 2026", 12),
        pdf.next_page(),
    ]
    for section in _OPENING:
        story += _section(*section)
    story.append(pdf.next_page())
    for number, station in enumerate(_STATIONS[:12], start=4):
        story += _place(number, station)
        if number % 2:
            story.append(pdf.next_page())
    story += _section(*_CLOSING[0])
    story += [
        pdf.heading("Table 1: all places"),
        pdf.grid(
            [("Place", "km", "Nitrate", "Oxygen", "Clarity", "Species"), *overview],
            (60, 20, 22, 22, 22, 22),
            right=(1, 2, 3, 4, 5),
        ),
        pdf.next_page(),
    ]
    story += [*_section(*_CLOSING[1]), pdf.next_page()]
    for letter, station in zip("AB", _STATIONS[12:], strict=True):
        story += [pdf.heading(f"Appendix {letter}: a tidal place"), *_place(18, station)[1:]]
    return pdf.pages(story, footer="The Health of the River Alder   |   AVRT-2026-03   |   {page}")
