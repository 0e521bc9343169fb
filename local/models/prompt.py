"""Take a conversation apart: the task, its document types and question, and the documents.

A document stands between two lines that carry the same random id. All before it is instruction, all
within is data: what looks like a task, a mark or a question inside a document changes nothing.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from local.models.refusal import Refused
from local.models.requests import Message

_OPENING = re.compile(r'^<document id="(?P<id>[^"\n]{1,64})">[ \t]*$', re.MULTILINE)
_TASK = re.compile(r"^TASK: *(\w+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DocumentType:
    """A type to choose from, as the prompt describes it."""

    name: str
    description: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What was asked: `task` is "" for plain talk; `instructions` is all but the documents."""

    task: str
    instructions: str
    documents: tuple[str, ...] = ()
    types: tuple[DocumentType, ...] = ()
    question: str = ""
    turns: tuple[Message, ...] = field(default=())


def read(messages: Sequence[Message]) -> Prompt:
    """Return the parts of a conversation; a later task or question replaces an earlier one.

    Raises:
        Refused: 400 when the list of types cannot be read.
    """
    instructions: list[str] = []
    documents: list[str] = []
    for message in messages:
        outside, inside = separate(message.content or "")
        instructions.append(outside)
        documents += inside
    text = "\n".join(instructions)
    tasks = _TASK.findall(text)
    return Prompt(
        task=tasks[-1].lower() if tasks else "",
        instructions=text,
        documents=tuple(documents),
        types=_types(text),
        question=_block(text, "question").strip(),
        turns=tuple(messages),
    )


def separate(text: str) -> tuple[str, list[str]]:
    """Return what of `text` is outside its documents, and the documents.

    Only the mark with a document's own id ends it, and what is inside cannot know that id; one that
    is never closed reaches to the end.
    """
    outside: list[str] = []
    documents: list[str] = []
    at = 0
    while opening := _OPENING.search(text, at):
        outside.append(text[at : opening.start()])
        start = min(opening.end() + 1, len(text))
        closing = f'</document id="{opening["id"]}">'
        end = text.find(closing, start)
        documents.append((text[start:] if end < 0 else text[start:end]).removesuffix("\n"))
        at = len(text) if end < 0 else end + len(closing)
    return "".join([*outside, text[at:]]), documents


def _block(text: str, name: str) -> str:
    """Return what stands between the last pair of marks called `name`; "" when there is none."""
    end = text.rfind(f"</{name}>")
    start = text.rfind(f"<{name}>", 0, max(end, 0))
    return text[start + len(name) + 2 : end] if start >= 0 else ""


def _types(text: str) -> tuple[DocumentType, ...]:
    """Return the types of the last `<types>` block; none when there is no block."""
    block = _block(text, "types")
    if not block:
        return ()
    try:
        return tuple(_type(entry) for entry in json.loads(block))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refused(400, "the <types> block must be a JSON array of types with names") from error


def _type(entry: dict[str, object]) -> DocumentType:
    """Return one type; all but its name may be missing."""
    examples = entry.get("examples")
    return DocumentType(
        name=str(entry["name"]),
        description=str(entry.get("description") or ""),
        examples=tuple(map(str, examples)) if isinstance(examples, list) else (),
    )
