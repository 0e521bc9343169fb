"""Mail: headers and the best body as text, attachments as files of their own, within limits."""

from collections.abc import Callable
from email.message import EmailMessage

import pytest

from streams.parsing.detect import EML
from streams.parsing.errors import Unparsable
from streams.parsing.page import ParsedPart

Parse = Callable[..., ParsedPart]
Refusal = Callable[..., Unparsable]


@pytest.fixture
def message() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Jörg Müller <joerg@example.com>"
    mail["To"] = "ray@example.com"
    mail["Subject"] = "Ihre Rechnung über 12,50 €"
    mail["Date"] = "Sat, 21 Nov 2026 10:00:00 +0100"
    mail.set_content("Guten Tag,\n\nanbei die Rechnung.\n")
    return mail


def test_headers_and_body_are_text(parse: Parse, message: EmailMessage) -> None:
    """Encoded words in headers are decoded; the subject is the title."""
    part = parse(message.as_bytes(), EML)
    assert part.title == "Ihre Rechnung über 12,50 €"
    assert part.pages[0].text == (
        "From: Jörg Müller <joerg@example.com>\nTo: ray@example.com\n"
        "Date: Sat, 21 Nov 2026 10:00:00 +0100\nSubject: Ihre Rechnung über 12,50 €\n\n"
        "Guten Tag,\n\nanbei die Rechnung."
    )
    assert part.attachments == ()


def test_the_plain_body_is_preferred_and_html_read_where_it_is_alone(
    parse: Parse, message: EmailMessage
) -> None:
    """Another form of the same text is neither read twice nor attached."""
    message.add_alternative("<p>Guten Tag,</p><p>HTML</p>", subtype="html")
    part = parse(message.as_bytes(), EML)
    assert "HTML" not in part.pages[0].text
    assert part.attachments == ()
    message.clear_content()
    message.set_content("<p>nur <b>HTML</b></p>", subtype="html")
    assert parse(message.as_bytes(), EML).pages[0].text.endswith("\n\nnur HTML")


def test_attachments_are_handed_on(parse: Parse, message: EmailMessage) -> None:
    """With their names, without folders; pictures inside the text are part of it."""
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="a.pdf")
    message.add_attachment("x,y", subtype="csv", filename="../../etc/passwd")
    message.add_attachment(
        b"GIF", maintype="image", subtype="png", cid="<logo>", disposition="inline"
    )
    part = parse(message.as_bytes(), EML)
    assert [attachment.name for attachment in part.attachments] == ["a.pdf", "_.._etc_passwd"]
    assert part.attachments[0].content == b"%PDF-1.4"


def test_a_mail_inside_a_mail_is_an_attachment(parse: Parse, message: EmailMessage) -> None:
    """Whole, with its own attachments, to be parsed as a document of its own."""
    inner = EmailMessage()
    inner["Subject"] = "Inner"
    inner["From"] = "a@example.com"
    inner.set_content("forwarded text")
    inner.add_attachment(b"data", maintype="application", subtype="octet-stream", filename="d")
    message.add_attachment(inner)
    part = parse(message.as_bytes(), EML)
    assert [attachment.name for attachment in part.attachments] == ["Inner.eml"]
    again = parse(part.attachments[0].content, EML)
    assert "forwarded text" in again.pages[0].text
    assert [attachment.content for attachment in again.attachments] == [b"data"]


def test_text_after_an_attachment_is_read(parse: Parse) -> None:
    """Some programs put a footer into a part of its own."""
    source = (
        b"From: a@example.com\nSubject: s\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="b"\n\n'
        b"--b\nContent-Type: text/plain\n\nbody\n"
        b'--b\nContent-Type: application/pdf; name="f.pdf"\n\n%PDF\n'
        b"--b\nContent-Type: text/plain; charset=nonsense\n\nfooter \xfc\n--b--\n"
    )
    part = parse(source, EML)
    assert part.pages[0].text.endswith("body\n\nfooter ü")
    assert [attachment.name for attachment in part.attachments] == ["f.pdf"]


def test_attachments_come_with_the_first_part_only(parse: Parse, message: EmailMessage) -> None:
    """A mail worked through in parts does not hand its attachments on twice."""
    message.set_content("word " * 3000)
    message.add_attachment("x", filename="x.txt")
    first = parse(message.as_bytes(), EML, budget_s=0)
    second = parse(message.as_bytes(), EML, first_page=first.next_page)
    assert len(first.attachments) == 1
    assert second.attachments == ()


def test_too_many_attachments_are_refused(refusal: Refusal, message: EmailMessage) -> None:
    """In number, and in bytes."""
    for number in range(4):
        message.add_attachment("x" * 100, filename=f"{number}.txt")
    content = message.as_bytes()
    assert refusal(content, EML, max_attachments=3).code == "too_many_attachments"
    assert refusal(content, EML, max_attachment_bytes=300).code == "too_many_attachments"


@pytest.mark.parametrize(
    "source",
    [
        b"From: =?utf-8?q?broken\nTo: <<<>>>@\nDate: never\n\nbody",
        b"Subject: s\nContent-Type: multipart/mixed; boundary=x\n\nno parts at all",
        b"Subject: s\nContent-Transfer-Encoding: base64\n\n!!!! body",
        b"Subject: s\nContent-Type: text/plain; charset=\xff\xfe\n\nbody",
        b"From: " + b"a@b <" * 20_000 + b"\n\nbody",
        b"Subject: " + b"=?utf-8?q?=?=" * 20_000 + b"\n\nbody",
        b"From: a\x00b@example.com\n\nbody \x00\xff",
        b"Subject: s\nContent-Type: message/rfc822\n\nSubject: inner\n\nbody",
    ],
)
def test_odd_mails_are_read_as_far_as_they_go(parse: Parse, source: bytes) -> None:
    """Nothing that a mail program may have sent brings the parser down."""
    assert parse(source, EML).pages[0].text


def test_a_mail_nested_without_end_does_not_bring_the_parser_down(
    parse: Parse, refusal: Refusal
) -> None:
    """A thousand multiparts inside one another are refused or read, not crashed on."""
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (number, number)
        for number in range(1000)
    )
    error = refusal(b"Subject: s\nMIME-Version: 1.0\n" + head + b"\n\nbody", EML)
    assert error.code == "corrupt"
