"""Markdown as its reader sees it: marks of emphasis and headings gone, tables aligned."""

import re
from collections.abc import Iterator
from itertools import groupby

from streams.parsing.bout import Bout
from streams.parsing.columns import align
from streams.parsing.page import ParsedPart
from streams.parsing.plain_pages import decode

MAX_LINE = 20_000
"""A longer line was not written by hand; its marks stay, as looking for them takes too long."""
_MARK = re.compile(r"[*_~`\[<\\]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r"^ {0,3}(?:=+|-+|\*\*\*+|___+)[ \t]*$")
_DELIMITER_ROW = re.compile(r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_CELL_END = re.compile(r"(?<!\\)\|")
_INLINE = (
    (re.compile(r"<!--.{0,2000}?-->"), ""),
    (re.compile(r"!\[([^\]]{0,500})\]\([^()\s]{0,2000}(?:\s+\"[^\"]{0,500}\")?\)"), r"\1"),
    (re.compile(r"\[([^\]]{1,500})\]\(([^()\s]{1,2000})(?:\s+\"[^\"]{0,500}\")?\)"), r"\1 (\2)"),
    (re.compile(r"<((?:https?://|mailto:)[^<>\s]{1,2000})>"), r"\1"),
    (re.compile(r"(?<!\w)(\*{1,3}|_{1,3}|~~)(?=\S)(.{1,500}?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"`([^`]{1,500})`"), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!|>~-])"), r"\1"),
)


def parse(bout: Bout) -> ParsedPart:
    """Return the text of a Markdown file; its title is the front matter's or the first heading.

    Raises:
        Unparsable: empty_file or text_too_long.
    """
    text, notes = decode(bout.read_bytes())
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return bout.text_part(["\n".join(_rendered(lines))], title=_title(lines), notes=notes)


def _title(text: str) -> str | None:
    front = _FRONT_MATTER.match(text)
    if front:
        named = re.search(r"^title:[ \t]*[\"']?(.{1,300}?)[\"']?[ \t]*$", front[1], re.MULTILINE)
        if named:
            return named[1]
    for line in text.split("\n")[:200]:
        heading = _HEADING.match(line)
        if heading and heading[1]:
            return _inline(heading[1])
    return None


def _rendered(text: str) -> Iterator[str]:
    """Yield the lines as they are read; code blocks stay as they are."""
    fenced = False
    lines: list[tuple[str, str]] = []
    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
            continue
        kind = "code" if fenced else "table" if "|" in line else "text"
        lines.append((kind, line))
    for kind, group in groupby(lines, key=lambda item: item[0]):
        block = [line for _, line in group]
        if kind == "table":
            yield from _table(block)
        elif kind == "code":
            yield from block
        else:
            yield from (_line(line) for line in block)


def _table(block: list[str]) -> list[str]:
    """Align a pipe table; lines that merely hold a bar are text."""
    if not any(_DELIMITER_ROW.match(line) for line in block):
        return [_line(line) for line in block]
    rows = [line for line in block if not _DELIMITER_ROW.match(line)]
    return align([[_inline(cell.strip()) for cell in _cells(line)] for line in rows])


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    cells = _CELL_END.split(line)
    return cells[:-1] if cells and not cells[-1].strip() else cells


def _line(line: str) -> str:
    heading = _HEADING.match(line)
    if heading:
        return _inline(heading[1])
    if _UNDERLINE.match(line):
        return ""
    return _inline(re.sub(r"^((?: {0,3}>[ \t]?)+)", "", line))


def _inline(text: str) -> str:
    if len(text) > MAX_LINE or not _MARK.search(text):
        return text
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return text
