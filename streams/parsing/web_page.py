"""HTML: the text that a reader sees, tables as aligned columns; nothing is loaded or run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from streams.parsing.bout import Bout
from streams.parsing.columns import align
from streams.parsing.errors import Code, Unparsable
from streams.parsing.page import ParsedPart
from streams.parsing.plain_pages import decode

UNSEEN = frozenset(
    {"script", "style", "template", "noscript", "head", "svg", "math", "iframe", "object", "audio"}
    | {"video", "canvas", "datalist"}
)
BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "caption", "center", "dd", "details", "dialog"}
    | {"div", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup"}
    | {"legend", "li", "main", "menu", "nav", "optgroup", "option", "section", "summary", "tr"}
)
PARAGRAPHS = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "pre", "ul", "ol", "dl", "table"}
)
TABLES = frozenset({"table", "dl"})
CELLS = frozenset({"td", "th"})
LISTS = frozenset({"ul", "ol"})
TERMS = frozenset({"dt", "dd"})
SHOWN_INPUTS = frozenset({"text", "email", "tel", "number", "date", "url", "search"})
MAX_NESTED = 10
"""Tables further inside one another than this are read as running text."""
MAX_DEPTH = 4_000
MAX_SPAN = 100
_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE
)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CONTAINER = re.compile(
    r"<(/?)(?:div|span|dl|ol|ul|blockquote|section|article|main|table|center|fieldset|form)\b",
    re.IGNORECASE,
)
_SPACE = re.compile(r"[ \t\r\n\f]+")


def parse(bout: Bout) -> ParsedPart:
    """Return the visible text of an HTML page and its title.

    Raises:
        Unparsable: empty_file or text_too_long.
    """
    content = bout.read_bytes()
    declared = _CHARSET.search(content[:4096])
    text, notes = decode(content, declared[1].decode("ascii") if declared else None)
    visible, title = render(text)
    return bout.text_part([visible], title=title, notes=notes)


def render(html: str) -> tuple[str, str | None]:
    """Return the visible text of `html`, a block a line, and its title.

    Raises:
        Unparsable: corrupt, where elements stand thousands deep in one another.
    """
    _check_nesting(html)
    tree = LexborHTMLParser(html)
    named = tree.css_first("title")
    title = _SPACE.sub(" ", named.text()).strip() if named is not None else ""
    lines = _Flow(depth=0).read(tree.body) if tree.body is not None else []
    return "\n".join(lines), title or None


def _check_nesting(html: str) -> None:
    """Refuse what would keep the parser busy for hours: its work grows with the square of depth."""
    depth = 0
    for tag in _CONTAINER.finditer(html):
        depth = max(0, depth - 1) if tag[1] else depth + 1
        if depth > MAX_DEPTH:
            raise Unparsable(
                Code.CORRUPT,
                f"The HTML nests elements more than {MAX_DEPTH:,} deep; save it again.",
            )


@dataclass(slots=True)
class _Flow:
    """Lines of text as a subtree is walked; `depth` counts the tables around it."""

    depth: int
    lines: list[str] = field(default_factory=list)
    current: str = ""
    preformatted: int = 0
    counters: list[int] = field(default_factory=list)

    def read(self, root: LexborNode) -> list[str]:
        """Return the lines of a subtree, without blank ones at either end."""
        leaves = TABLES if self.depth < MAX_NESTED else frozenset()
        for node, tag, opening in _walk(root, leaves):
            if tag == "-text":
                self._add(node.text_content or "")
            elif tag in leaves:
                self._end_paragraph()
                rows = _rows if tag == "table" else _pairs
                self.lines.extend(align(rows(node, self.depth + 1)))
                self._end_paragraph()
            elif opening and tag == "input":
                self._add(_shown_value(node))
            else:
                self._boundary(tag, opening=opening)
        self._end_line()
        while self.lines and not self.lines[-1]:
            self.lines.pop()
        return self.lines

    def _add(self, text: str) -> None:
        if self.preformatted:
            first, *others = text.replace("\r\n", "\n").split("\n")
            self.current += first
            for line in others:
                self._end_line()
                self.current = line
            return
        text = _SPACE.sub(" ", text)
        self.current += text.lstrip(" ") if not self.current or self.current[-1] == " " else text

    def _boundary(self, tag: str, *, opening: bool) -> None:
        if tag == "pre":
            self._end_paragraph()
            self.preformatted += 1 if opening else -1
        elif tag in PARAGRAPHS:
            self._end_paragraph()
            if tag in LISTS:
                self._list(tag, opening=opening)
        elif tag in BLOCKS:
            self._end_line()
            self.current = self._bullet() if tag == "li" and opening else ""
        elif tag == "br" and opening:
            self._end_line()
        elif tag in CELLS and not opening:
            self.current += "  "

    def _list(self, tag: str, *, opening: bool) -> None:
        if opening:
            self.counters.append(0 if tag == "ol" else -1)
        elif self.counters:
            self.counters.pop()

    def _bullet(self) -> str:
        if not self.counters or self.counters[-1] < 0:
            return "- "
        self.counters[-1] += 1
        return f"{self.counters[-1]}. "

    def _end_line(self) -> None:
        if self.current.strip():
            self.lines.append(self.current.rstrip())
        self.current = ""

    def _end_paragraph(self) -> None:
        self._end_line()
        if self.lines and self.lines[-1]:
            self.lines.append("")


def _walk(root: LexborNode, leaves: frozenset[str]) -> Iterator[tuple[LexborNode, str, bool]]:
    """Yield (node, tag, opening) in document order for what is visible below `root`.

    Nodes whose tag is in `leaves` are yielded once and not entered. The walk keeps a stack of its
    own, so that no depth of nesting can end it.
    """
    stack: list[LexborNode] = []
    node = root.first_child
    while node is not None or stack:
        if node is None:
            node = stack.pop()
            yield node, node.tag or "", False
            node = node.next
            continue
        tag = node.tag or ""
        if tag == "-text":
            yield node, tag, True
        elif not tag.startswith(("-", "!")) and not _hidden(node, tag):
            yield node, tag, True
            if tag not in leaves and node.first_child is not None:
                stack.append(node)
                node = node.first_child
                continue
            if tag not in leaves:
                yield node, tag, False
        node = node.next


def _hidden(node: LexborNode, tag: str) -> bool:
    if tag in UNSEEN:
        return True
    attributes = node.attributes
    return "hidden" in attributes or bool(_HIDDEN_STYLE.search(attributes.get("style") or ""))


def _shown_value(node: LexborNode) -> str:
    """Return what a form's input field shows."""
    attributes = node.attributes
    kind = (attributes.get("type") or "text").lower()
    return f" {attributes.get('value') or ''} " if kind in SHOWN_INPUTS else ""


def _rows(table: LexborNode, depth: int) -> list[list[str]]:
    """Return the cells of a table's own rows; one over several columns or rows keeps its place."""
    rows: list[list[str]] = []
    held: dict[int, int] = {}
    for row, tag, opening in _walk(table, frozenset({"tr", "caption"})):
        if not opening:
            continue
        if tag == "caption":
            rows.append(["\n".join(_Flow(depth).read(row))])
        if tag != "tr":
            continue
        cells: list[str] = []
        for cell, kind, _ in _walk(row, CELLS):
            if kind not in CELLS:
                continue
            _skip_held(cells, held)
            down, across = _span(cell, "rowspan"), _span(cell, "colspan")
            held.update((len(cells) + offset, down) for offset in range(across) if down > 1)
            cells.extend(["\n".join(_Flow(depth).read(cell)), *[""] * (across - 1)])
        rows.append(cells)
        held = {column: left - 1 for column, left in held.items() if left > 1}
    return rows


def _pairs(definitions: LexborNode, depth: int) -> list[list[str]]:
    """Return the rows of a list of terms, each with its first description beside it."""
    rows: list[list[str]] = []
    for node, tag, _ in _walk(definitions, TERMS):
        if tag in TERMS:
            text = "\n".join(_Flow(depth).read(node))
            if tag == "dd" and rows and len(rows[-1]) == 1:
                rows[-1].append(text)
            else:
                rows.append([text] if tag == "dt" else ["", text])
    return rows


def _skip_held(cells: list[str], held: dict[int, int]) -> None:
    """Leave empty the places that a cell of a row above still covers."""
    while held.get(len(cells), 0) > 0:
        cells.append("")


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or "1"
    return min(int(value), MAX_SPAN) if value.isdecimal() and value != "0" else 1
