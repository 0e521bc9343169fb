"""Mails (EML): who, to whom, when and what about, the best text body, and the attached files."""

import contextlib
import email
import email.policy
import re
from collections.abc import Iterator
from email.errors import MessageError
from email.message import MIMEPart

from streams.parsing.bout import Bout
from streams.parsing.errors import Code, Unparsable
from streams.parsing.limits import MEBIBYTE, Limits
from streams.parsing.page import Attachment, ParsedPart
from streams.parsing.plain_pages import decode
from streams.parsing.web_page import render

SHOWN_HEADERS = ("From", "To", "Cc", "Date", "Subject")
MAX_NAME_CHARS = 200
MAX_HEADER_CHARS = 10_000
"""Decoding a longer header takes time that grows with the square of its length."""
_UNSAFE_IN_NAME = re.compile(r"[\x00-\x1f\x7f/\\]+")


def parse(bout: Bout) -> ParsedPart:
    """Return the mail's headers and body as pages, and with the first bout its attachments.

    Raises:
        Unparsable: too_many_attachments (in number or size), corrupt, text_too_long.
    """
    if bout.path.stat().st_size > bout.limits.max_attachment_bytes * 3 // 2:
        raise _too_many(f"is larger than {bout.limits.max_attachment_bytes // MEBIBYTE:,} MiB")
    try:
        with bout.path.open("rb") as file:
            message = email.message_from_binary_file(file, policy=email.policy.default)
        shown, others = _sorted_parts(message)
        bodies = [_body_text(part) for part in shown]
        attachments = tuple(_attachments(others, bout.limits))
        header = "\n".join(_header_lines(message))
        title = _header(message, "Subject") or None
    except (RecursionError, MessageError, LookupError, ValueError, AttributeError) as error:
        raise Unparsable(
            Code.CORRUPT, "The mail's structure is damaged; save it again from the mail program."
        ) from error
    text = "\n\n".join([header, *(text for text, _ in bodies)])
    notes = tuple(dict.fromkeys(note for _, notes in bodies for note in notes))
    return bout.text_part([text], title=title, attachments=attachments, notes=notes)


def _too_many(what: str) -> Unparsable:
    return Unparsable(
        Code.TOO_MANY_ATTACHMENTS, f"The mail {what}; upload its attachments on their own."
    )


def _header(message: MIMEPart, name: str) -> str:
    """Return a header decoded, or as it stands where it cannot be or is beyond all measure."""
    raw = next((str(raw) for key, raw in message.raw_items() if key.lower() == name.lower()), "")
    value = raw[:MAX_HEADER_CHARS]
    if len(raw) <= MAX_HEADER_CHARS:
        with contextlib.suppress(LookupError, ValueError, AttributeError, TypeError):
            value = str(message.get(name, ""))
    return " ".join(value.split())


def _header_lines(message: MIMEPart) -> Iterator[str]:
    for name in SHOWN_HEADERS:
        value = _header(message, name)
        if value:
            yield f"{name}: {value}"


def _sorted_parts(message: MIMEPart) -> tuple[list[MIMEPart], list[MIMEPart]]:
    """Return the parts that are shown as text, and those that are attached.

    Other forms of the body, and pictures shown inside it, are neither.
    """
    body = message.get_body(preferencelist=("plain", "html"))
    shown: list[MIMEPart] = []
    others: list[MIMEPart] = []
    for part, parent in _leaves(message):
        if part is body:
            shown.append(part)
        elif _is_inline_text(part):
            if parent not in {"alternative", "related"}:
                shown.append(part)
        elif not _is_inline_picture(part):
            others.append(part)
    return shown, others


def _leaves(message: MIMEPart) -> Iterator[tuple[MIMEPart, str]]:
    """Yield the parts without parts of their own, and the kind of multipart each stands in.

    An attached mail is one part, whatever it holds.
    """
    waiting: list[tuple[MIMEPart, str]] = [(message, "")]
    while waiting:
        part, parent = waiting.pop()
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            inner = [(child, part.get_content_subtype()) for child in part.iter_parts()]
            waiting.extend(inner[::-1])
        else:
            yield part, parent


def _is_inline_text(part: MIMEPart) -> bool:
    return (
        part.get_content_type() in {"text/plain", "text/html", "text/enriched"}
        and part.get_content_disposition() != "attachment"
        and part.get_filename() is None
    )


def _is_inline_picture(part: MIMEPart) -> bool:
    return (
        part.get_content_maintype() == "image"
        and part.get_content_disposition() != "attachment"
        and part.get("Content-ID") is not None
    )


def _body_text(body: MIMEPart) -> tuple[str, tuple[str, ...]]:
    text, notes = decode(_payload(body), body.get_content_charset())
    if body.get_content_subtype() == "html":
        text, _ = render(text)
    return text, notes


def _payload(part: MIMEPart) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _attachments(parts: list[MIMEPart], limits: Limits) -> Iterator[Attachment]:
    """Yield the attached files that are not empty, as long as they are within the limits."""
    if len(parts) > limits.max_attachments:
        raise _too_many(f"has {len(parts)} attachments and {limits.max_attachments} are allowed")
    total = 0
    for number, part in enumerate(parts, start=1):
        attachment = _attachment(part, number)
        total += len(attachment.content)
        if total > limits.max_attachment_bytes:
            raise _too_many(
                f"has more than {limits.max_attachment_bytes // MEBIBYTE:,} MiB of attachments"
            )
        if attachment.content:
            yield attachment


def _attachment(part: MIMEPart, number: int) -> Attachment:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0) if part.is_multipart() else None
        if not isinstance(inner, MIMEPart):
            return Attachment(f"attachment-{number}.eml", _payload(part))
        name = part.get_filename() or f"{_header(inner, 'Subject') or f'attachment-{number}'}.eml"
        return Attachment(_safe(name, number), inner.as_bytes())
    return Attachment(_safe(part.get_filename() or "", number), _payload(part))


def _safe(name: str, number: int) -> str:
    """Return a file name without folders and control characters."""
    name = _UNSAFE_IN_NAME.sub("_", name).strip(". ")[-MAX_NAME_CHARS:]
    return name or f"attachment-{number}"
