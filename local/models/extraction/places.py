"""Words that make a line a company's name, a part of an address, or the end of a letterhead.

General vocabulary of several countries, tolerant of missing spaces; no names of firms. Pure.
"""

import re

from local.models.extraction.sheet import Line, fold, worded
from local.models.extraction.words import any_of

_LEGAL_KEY = re.compile(
    r"s[adol]n.?b[hnml][dol]|sdnbhd|berhad|gmbh|pvtltd|ptyltd|s[ad]n8hd|5dnbhd|\wbhd$"
)
_LEGAL_WORD = re.compile(
    r"(?<![A-Za-z])(?:S/B|B[Hh][Dd]|PLT|Ltd|LTD|Limited|LIMITED|LLC|LLP|Inc|INC|Incorporated|plc|"
    r"PLC|Corp|"
    r"Corporation|CORP|KGaA|OHG|GbR|e\.\s?K|e\.\s?V|SARL|S\.A\.R\.L|SASU|EURL|S\.r\.l|B\.V|"
    r"Co\.?,? Ltd|& Co|& Fils|& Söhne|& Sons|& Daughters|et Cie|Pte)(?![A-Za-z])\.?|"
    r"(?<=[a-zA-Z.)] )(?:AG|KG|eG|UG|SE|SAS|SA|S\.A|SCI|SNC|SRL|BV|NV|Oy|AB|A/S|DAC)\.?(?=,|$)"
)
_TRADE = any_of(
    "enterprise,ent,trading,restoran,restaurant,hardware,stationery,pharmacy,farmasi,bakery,"
    "bakeries,supermarket,hypermarket,pasaraya,perniagaan,syarikat,kedai,electrical,services,"
    "holdings,industries,industry,bookcentre,book store,bookshop,kitchen,grocer,furniture,"
    "optical,clinic,klinik,confectionery,kopitiam,bistro,boutique,company,associates,partners,"
    "consulting,solutions,technologies,logistics,bank,sparkasse,university,institute,foundation,"
    "hotel,cake house,cafe,mini market,minimarket,motor,workshop,machinery,engineering,petrol,"
    "station,marketing,department store,bookstore,studio,agency,insurance,versicherung,werkstatt,"
    "boulangerie,librairie,apotheke,backerei,buchhandlung,gasthaus,association,council,gallery,"
    "salon,seafood,catering,food,fashion,electronic,decor,beauty,stor,centre,shop,mart,markt,"
    "museum,hospital,trust"
)
_STREET = any_of(
    "jalan,jaian,taman,lorong,persiaran,kawasan,perindustrian,seksyen,bandar,lebuh,kampung,mukim,"
    "tingkat,medan,dataran,pusat,street,road,avenue,boulevard,floor,level,square,lane,drive,"
    "building,strasse,platz,allee,quai,chaussee,desa,bukit,sungai,pekan,simpang,lengkok,"
    "lingkaran,solok,susur,laluan,arcade,commercial,heights,plaza,mall,basement,ground flr,"
    "complex,kompleks,wisma,menara,autoroute,highway,suite,industrial park,blok,parade,terrace,"
    "gasse,promenade"
)
_REGION = any_of(
    "selangor,kuala lumpur,johor,penang,pulau pinang,perak,melaka,negeri sembilan,pahang,kedah,"
    "kelantan,terengganu,sabah,sarawak,putrajaya,wilayah,petaling jaya,shah alam,darul,malaysia,"
    "singapore,united states,united kingdom,england,deutschland,germany,france,osterreich,"
    "austria,schweiz,suisse,switzerland,india,ireland,belgium,belgique,luxembourg"
)
_STREET_WORD = re.compile(
    r"(?<![A-Za-z])(?:(?:J[Ll][Nn]|T[Mm][Nn]|B[Dd][Rr]|LOT|Lot|B[Ll][Kk]|BATU|Batu|"
    r"SECTION|Section|N[OQ0o]\.?,? ?[:.]? ?[A-Z]?-?\d|"
    r"[A-Z][a-zäöüß]+(?:stra[sß]+e|str\.|weg|gasse|platz|allee|ring|ufer|damm))(?![a-z])|"
    r"(?:UNIT|Unit|BLOCK|Block|K[Gg]\.?(?= [A-Z])|P\.?T\.?|FLR|S[Tt]\.?|R[Dd]\.?|A[Vv][Ee]\.?|Way|"
    r"KM|P\.?O\.? ?Box|Postfach|BP|"
    r"K\.?L\.?|Weg|rue|RUE|Rue|avenue|place|Place|all[ée]e|cours|impasse|chemin|route)(?![A-Za-z]))"
)
_POSTCODE = re.compile(
    r"(?<![\d\-/.])(?:[A-Z]{1,2}-)?\d{2} ?\d{3}(?![\d\-/.:])(?! ?[-/]\d)|"
    r"(?<![A-Z\d])[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}(?![A-Z\d])|"
    r"(?<![A-Za-z])[A-Z]{2}\.? \d{5}(?:-\d{4})?(?!\d)|(?<!\d)[1-9]\d{3} (?=[A-ZÄÖÜ][a-zäöüß]{2})"
)
_LOT = re.compile(r"(?:LOT|Lot|P\.?T\.?|NO|No|#)[\s.:]*$")
_NUMBERED = re.compile(
    r"^\W*(?:N[O0Q]S?(?=[\s.:,\d])|No(?=[\s.:,\d])|L\.?[O0o]T(?=\W|\d)|L\.?[o0]t(?=[\s.:,\d])|"
    r"(?:UNIT|Unit|BLOCK|Block|BLK|SUITE|Suite)(?![A-Za-z])|PT ?\d|P\.T\.|"
    r"[A-Z]{0,2}-?\d+[A-Z]?(?:\s?[-&,/]\s?\w+)*\s?,|"
    r"\d+[A-Z]?(?:[-/&]\w{0,6})*[ ,.]\s?\D|[A-Z]\d?-\d|[A-Z]\d?-[A-Z0-9]{1,3}-\d|"
    r"\d+(?:ST|ND|RD|TH)\b|(?:GROUND|FIRST|SECOND|THIRD|LOWER|UPPER) (?:FLOOR|FLR|GROUND)|"
    r"LEVEL ?\d|G[- ]?\d)"
)
_ENDS_NUMBERED = re.compile(r"[A-ZÄÖÜ][^\d,:]{3,40} \d{1,4} ?[a-z]?")
_STOP = any_of(
    "telefon,hotline,whatsapp,email,invoice,receipt,cashier,document no,doc no,bill no,sst id,"
    "co reg,company reg,reg no,regno,website,facture,rechnung,salesperson,tax id,vat no,vat reg,"
    "steuernummer,customer service,cash bill,cash sale,order no,opening hours,shopping hours,"
    "business hours,member,operator,terminal,counter,bill to,owned by,com my,operated by,"
    "managed by,kontoauszug,courriel,licensee,pin no,credit card,self service,sales memo,"
    "delivery order,check no,registration no,bill to,business reg,formerly,known as,trading as"
)
_STOP_WORD = re.compile(
    r"(?<![A-Za-z])(?:TEL|Tel|tel|[Tt][Ee]1|[lI]el|FAX|Fax|fax|PHONE|Phone|ROC|Roc|G[S5]T|Gst|"
    r"SST|www|WWW|http|"
    r"USt|SSM|DATE|Date|Datum|SIRET|MOBILE|Mobile|SLIP|Table|TABLE)(?![a-z])|"
    r"(?<![A-Za-z.])(?:T|F|H/?P|Ph|M|E)\s?:\s?[\d(+]|@|^\W*\(?\d{3}\)? ?\d{3}-\d{4}|"
    r"(?<!\d)\+?6?0?[1-9]\d?\s?-\s?\d{3,4}\s?\d{3,4}|^\W*0\d[\d\s-]{7,}|"
    r"^\W*(?:TIME|CASH|BILL|DATE|CODE|QTY|RECEIPT|ITEM)\b"
)
_PIECE = re.compile(r"[^|\u00b7\u2022]+")
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
_SUFFIX = re.compile(
    r"\W*(?:ENTERPRISE|TRADING|SERVICES|INDUSTRIES|HOLDINGS|MARKETING|COMPANY)", re.IGNORECASE
)
_HEADING = any_of(
    "tax invoice,receipt,cash bill,invoice,welcome,simplified,thank you,official,customer copy,"
    "rechnung,facture,quittung,page,duplicate,reprint,original,copy,credit note,statement,"
    "kassenbon,ticket,bill,cash sales,adjustment note,selamat datang,statement of account,"
    "account statement,kontoauszug,releve de compte"
)
_TITLE = any_of(
    "report,agreement,contract,lease,application,form,permit,registration,questionnaire,survey,"
    "review,study,analysis,vertrag,bericht,antrag,formular,anmeldung,vereinbarung,gutachten,"
    "contrat,rapport,formulaire,convention,bail,demande,inscription,etude,statement of work"
)
_REGISTRATION = re.compile(
    r"[\s(\[,:]*(?:(?:CO|COMPANY|ROC|SSM|REG|BUSINESS|NO|N0|LICEN[CS]E)[\s.:]*){0,4}\W*"
    r"(?:\d{12}\W{0,3})?(?:[A-Z]{2}\d{6,8}\W?[A-Z0-9]|[\dOolI]{4,7}\s?[-~.\u2013\u2014]?\s?[A-Z]|"
    r"(?<=\()\s?\d{4,7}[- \u2013\u2014]?[A-Z0-9]?)\s?[)\]]?\W*$",
    re.IGNORECASE,
)


_LONGEST = 200
"""Characters of a line that can be a name or an address; longer lines are running text."""


def legal_form(line: str) -> bool:
    """Whether a line names a company's legal form, spaced or glued (`SDNBHD`)."""
    return bool(_LEGAL_KEY.search(fold(line)) or _LEGAL_WORD.search(line))


def trade_word(line: str) -> bool:
    """Whether a line holds a word that names of shops and firms are made with."""
    return bool(_TRADE.search(worded(line)))


def suffix_word(line: str) -> bool:
    """Whether a line begins with a word that names end with, so that the name begins above it."""
    return bool(_SUFFIX.match(line))


def street_word(line: str) -> bool:
    """Whether a line holds a word that addresses are made with, a region among them."""
    return bool(_STREET.search(worded(line)) or _STREET_WORD.search(line)) or region(line)


def region(line: str) -> bool:
    """Whether a line holds the name of a state or a country."""
    return bool(_REGION.search(worded(line)))


def postcode(line: str) -> bool:
    """Whether a line holds a number in the form of a post code (four or five digits, UK, US)."""
    return any(not _LOT.search(line, 0, m.start()) for m in _POSTCODE.finditer(line))


def numbered(line: str) -> bool:
    """Whether a line begins as the first line of an address does: a house, lot or unit number."""
    return bool(_NUMBERED.match(line))


def ends_numbered(line: str) -> bool:
    """Whether a line ends in a house number, as streets are written in German."""
    return bool(_ENDS_NUMBERED.fullmatch(line))


def stops(line: str) -> bool:
    """Whether a line ends a letterhead: a telephone, a registration, a heading, a date or time."""
    if _STOP.search(worded(line)) or _STOP_WORD.search(line):
        return True
    return bool(_CLOCK.search(line)) and not street_word(line)


def before_stop(line: str) -> str:
    """The part of a line before its telephone, if it holds a post code; else nothing."""
    match = _STOP_WORD.search(line)
    part = line[: match.start()].rstrip(" ,;|-(") if match else ""
    return part if part and postcode(part) else ""


def heading(line: str) -> bool:
    """Whether a line is a document's heading and no name."""
    key = worded(line)
    found = _HEADING.search(key)
    return found is not None and len(found[0]) * 2 >= len(key)


def title_word(line: str) -> bool:
    """Whether a line holds a word that titles of documents are made with."""
    return bool(_TITLE.search(worded(line)))


def lead(line: str) -> str:
    """The pieces of a line parted by `|` or a dot in the middle, up to the first that stops."""
    end = 0
    for piece in _PIECE.finditer(line):
        if end and stops(piece[0]):
            return line[:end].rstrip(" |\u00b7\u2022")
        end = piece.end()
    return line


def registration(line: str) -> int:
    """Where a trailing company registration number begins in a line; its length if it has none."""
    match = _REGISTRATION.search(line) if len(line) <= _LONGEST else None
    return match.start() if match and any(c.isdigit() for c in match[0]) else len(line)


def tidy(line: Line) -> str:
    """A line's words with single spaces, without ornaments at its ends."""
    return line.words[:_LONGEST].strip(" *-=~_|•·<>\"'`:;")
