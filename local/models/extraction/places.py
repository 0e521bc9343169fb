"""Words that make a line a company's name, a part of an address, or the end of a letterhead.

General vocabulary of several countries, tolerant of missing spaces; no names of firms. Pure.
"""

import re

from local.models.extraction.sheet import Line, blur, fold


def _folded(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(sorted({blur(fold(w)) for w in words}, key=len, reverse=True)))


_LEGAL_KEY = re.compile(r"sdn.?b[hnml]d|sdnbhd|berhad|gmbh|pvtltd|ptyltd|s[ad]n8hd|5dnbhd|b[hn]d$")
_LEGAL_WORD = re.compile(
    r"(?<![A-Za-z])(?:S/B|B[Hh][Dd]|PLT|Ltd|LTD|Limited|LIMITED|LLC|LLP|Inc|INC|Incorporated|plc|PLC|Corp|Corporation|CORP|"
    r"AG|KG|KGaA|OHG|GbR|e\.\s?K|e\.\s?V|UG|SE|SARL|S\.A\.R\.L|SAS|SA|S\.A|SASU|EURL|SCI|SNC|SRL|S\.r\.l|BV|B\.V|NV|Oy|AB|A/S|"
    r"Co\.?,? Ltd|& Co|et Cie|Pte)(?![A-Za-z])\.?"
)
_TRADE = _folded(
    "enterprise",
    "trading",
    "restoran",
    "restaurant",
    "hardware",
    "stationery",
    "pharmacy",
    "farmasi",
    "bakery",
    "bakeries",
    "supermarket",
    "hypermarket",
    "pasaraya",
    "perniagaan",
    "syarikat",
    "kedai",
    "electrical",
    "services",
    "holdings",
    "industries",
    "industry",
    "bookcentre",
    "book store",
    "bookshop",
    "kitchen",
    "grocer",
    "furniture",
    "optical",
    "clinic",
    "klinik",
    "confectionery",
    "kopitiam",
    "bistro",
    "boutique",
    "company",
    "associates",
    "partners",
    "consulting",
    "solutions",
    "technologies",
    "logistics",
    "bank",
    "sparkasse",
    "university",
    "institute",
    "foundation",
    "hotel",
    "cake house",
    "cafe",
    "mini market",
    "minimarket",
    "motor",
    "workshop",
    "machinery",
    "engineering",
    "petrol",
    "station",
    "marketing",
    "department store",
    "bookstore",
    "studio",
    "agency",
    "insurance",
    "versicherung",
    "werkstatt",
    "boulangerie",
    "librairie",
    "apotheke",
    "backerei",
    "buchhandlung",
    "gasthaus",
    "association",
    "council",
    "gallery",
    "salon",
    "seafood",
    "catering",
    "food",
    "fashion",
    "electronic",
    "decor",
    "beauty",
    "stor",
    "centre",
    "shop",
    "mart",
)
_STREET = _folded(
    "jalan",
    "jaian",
    "taman",
    "lorong",
    "persiaran",
    "kawasan",
    "perindustrian",
    "seksyen",
    "bandar",
    "lebuh",
    "lebuhraya",
    "kampung",
    "mukim",
    "tingkat",
    "medan",
    "dataran",
    "pusat",
    "street",
    "road",
    "avenue",
    "boulevard",
    "floor",
    "level",
    "square",
    "lane",
    "drive",
    "building",
    "strasse",
    "platz",
    "allee",
    "quai",
    "chaussee",
    "plaza",
    "mall",
    "selangor",
    "kuala lumpur",
    "johor",
    "penang",
    "pulau pinang",
    "perak",
    "melaka",
    "negeri sembilan",
    "pahang",
    "kedah",
    "kelantan",
    "terengganu",
    "sabah",
    "sarawak",
    "putrajaya",
    "wilayah",
    "petaling jaya",
    "shah alam",
    "darul ehsan",
    "darul",
    "basement",
    "ground flr",
    "complex",
    "kompleks",
    "wisma",
    "menara",
    "autoroute",
    "highway",
    "suite",
    "industrial park",
    "blok",
)
_STREET_WORD = re.compile(
    r"(?<![A-Za-z])(?:J[Ll][Nn]|T[Mm][Nn]|B[Dd][Rr]|K[Gg]|LOT|Lot|BLOCK|Block|B[Ll][Kk]|P\.?T\.?|FLR|S[Tt]\.?|R[Dd]\.?|A[Vv][Ee]\.?|rue|RUE|Rue|"
    r"avenue|place|Place|all[ée]e|cours|impasse|chemin|route|Weg|[A-Z][a-zäöüß]+(?:stra[sß]+e|str\.|weg|gasse|platz|allee|ring|ufer|damm)|"
    r"UNIT|Unit|BATU|Batu|KM|SECTION|Section|P\.?O\.? ?Box|Postfach|BP|K\.?L\.?|N[OQ0o]\.?,? ?[:.]? ?[A-Z]?-?\d)(?![a-z])"
)
_POSTCODE = re.compile(
    r"(?<![\d\-/.])(?:[A-Z]{1,2}-)?\d{2} ?\d{3}(?![\d\-/.:])(?! ?[-/]\d)|(?<![A-Z\d])[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}(?![A-Z\d])|"
    r"(?<![A-Za-z])[A-Z]{2}\.? \d{5}(?:-\d{4})?(?!\d)"
)
_NUMBERED = re.compile(
    r"^\W*(?:N[O0Q]S?(?=[\s.:,\d])|No(?=[\s.:,\d])|L[O0]T(?=[\s.:,\d\w])|Lot(?=[\s.:,\d])|UNIT|Unit|BLOCK|Block|BLK|SUITE|Suite|PT ?\d|P\.T\.|"
    r"[A-Z]{0,2}-?\d+[A-Z]?(?:\s?[-&,/]\s?\w+)*\s?,|\d+[A-Z]?(?:[-/&]\d*[A-Z]?\d*)*[ ,.]\s?\D|[A-Z]\d?-\d|\d+(?:ST|ND|RD|TH)\b|"
    r"(?:GROUND|FIRST|SECOND|THIRD|LOWER|UPPER) (?:FLOOR|FLR|GROUND)|LEVEL ?\d|G[- ]?\d)"
)
_STOP = _folded(
    "telefon",
    "hotline",
    "whatsapp",
    "email",
    "invoice",
    "receipt",
    "cashier",
    "document no",
    "doc no",
    "bill no",
    "sst id",
    "co reg",
    "coreg",
    "company reg",
    "reg no",
    "regno",
    "website",
    "facture",
    "rechnung",
    "salesperson",
    "tax id",
    "vat no",
    "vat reg",
    "steuernummer",
    "customer service",
    "cash bill",
    "cash sale",
    "order no",
    "opening hours",
    "shopping hours",
    "business hours",
    "member",
    "operator",
    "terminal",
    "counter",
    "bill to",
    "owned by",
    "com my",
    "operated by",
    "managed by",
    "kontoauszug",
    "courriel",
    "licensee",
    "pin no",
    "credit card",
    "self service",
    "sales memo",
    "delivery order",
    "check no",
)
_STOP_WORD = re.compile(
    r"(?<![A-Za-z])(?:TEL|Tel|tel|TE1|FAX|Fax|fax|PHONE|Phone|ROC|Roc|G[S5]T|Gst|SST|www|WWW|http|USt|SSM|DATE|Date|SIRET|MOBILE|Mobile|SLIP|Table|TABLE)(?![a-z])|"
    r"(?<![A-Za-z])(?:T|F|H/?P|Tel|Ph|M|E)\s?[:.]\s?[\d(+]|@|(?<!\d)\+?6?0?[1-9]\d?\s?-\s?\d{3,4}\s?\d{3,4}|^\W*0\d[\d\s-]{7,}|^\W*(?:TIME|CASH|BILL|DATE|CODE|QTY|RECEIPT|ITEM)\b"
)
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
_SUFFIX = re.compile(
    r"\W*(?:ENTERPRISE|TRADING|SERVICES|INDUSTRIES|HOLDINGS|MARKETING|COMPANY)", re.IGNORECASE
)
_HEADING = _folded(
    "tax invoice",
    "taxinvoice",
    "receipt",
    "cash bill",
    "invoice",
    "welcome",
    "simplified",
    "thank you",
    "official",
    "customer copy",
    "rechnung",
    "facture",
    "quittung",
    "page",
    "duplicate",
    "reprint",
    "original",
    "copy",
    "credit note",
    "statement",
    "kassenbon",
    "ticket",
    "bill",
    "cash sales",
    "adjustment note",
    "selamat datang",
)
_REGISTRATION = re.compile(
    r"[\s(\[,:]*(?:(?:CO|COMPANY|ROC|SSM|REG|BUSINESS|NO|N0|LICEN[CS]E)[\s.:]*){0,4}\W*"
    r"(?:\d{12}\W{0,3})?(?:[A-Z]{2}\d{6,8}\W?[A-Z0-9]|[\dOolI]{4,7}\s?[-–—~.]?\s?[A-Z]|(?<=\()\s?\d{4,7}[-–— ]?[A-Z0-9]?)\s?[)\]]?\W*$",
    re.IGNORECASE,
)


def legal_form(line: str) -> bool:
    """Whether a line names a company's legal form, spaced or glued (`SDNBHD`)."""
    return bool(_LEGAL_KEY.search(fold(line)) or _LEGAL_WORD.search(line))


def trade_word(line: str) -> bool:
    """Whether a line holds a word that names of shops and firms are made with."""
    return bool(_TRADE.search(blur(fold(line))))


def suffix_word(line: str) -> bool:
    """Whether a line begins with a word that names end with, so that the name begins above it."""
    return bool(_SUFFIX.match(line))


def street_word(line: str) -> bool:
    """Whether a line holds a word that addresses are made with."""
    return bool(_STREET.search(blur(fold(line))) or _STREET_WORD.search(line))


def postcode(line: str) -> bool:
    """Whether a line holds a number in the form of a post code (five digits, UK, US)."""
    return bool(_POSTCODE.search(line))


def numbered(line: str) -> bool:
    """Whether a line begins as the first line of an address does: a house, lot or unit number."""
    return bool(_NUMBERED.match(line))


def stops(line: str) -> bool:
    """Whether a line ends a letterhead: a telephone, a registration, a heading, a date or time."""
    if _STOP.search(blur(fold(line))) or _STOP_WORD.search(line):
        return True
    return bool(_CLOCK.search(line)) and not street_word(line)


def heading(line: str) -> bool:
    """Whether a line is a document's heading and no name."""
    key = blur(fold(line))
    found = _HEADING.search(key)
    return bool(found) and len(found[0]) * 2 >= len(key)


def registration(line: str) -> int:
    """Where a trailing company registration number begins in a line; its length if it has none."""
    match = _REGISTRATION.search(line)
    return match.start() if match and any(c.isdigit() for c in match[0]) else len(line)


def tidy(line: Line) -> str:
    """A line's words with single spaces, without ornaments at its ends."""
    return line.words.strip(" *-=~_|•·<>\"'`:;")
