"""Searching, and showing hits with their passages in colour."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from cli.client import Gateway
from cli.errors import Failure
from cli.terminal import console, print_json

_PASSAGES: Final = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search; `where` is the text of a JSON object, no places are the documents."""

    query: str
    mode: str = "hybrid"
    where: str | None = None
    limit: int = 10
    places: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """Returns: the call's body. Raises: Failure: `where` is not a JSON object."""
        body: dict[str, Any] = {"q": self.query, "mode": self.mode, "limit": self.limit}
        if self.places:
            body["in"] = list(self.places)
        if self.where is None:
            return body
        try:
            where = json.loads(self.where)
        except ValueError:
            where = None
        if not isinstance(where, dict):
            raise Failure(
                f'--where must be a JSON object such as {{"type": "invoice"}}: {self.where}'
            )
        return {**body, "where": where}


def find(gateway: Gateway, wanted: Wanted, *, as_json: bool) -> None:
    """Search and print the hits.

    Raises:
        Failure: the search is refused, or the gateway does not answer.
    """
    body = wanted.body()
    page = gateway.call("POST", "/v1/search", body=body)
    if as_json:
        print_json(page)
    else:
        show_hits(console(), page)


def show_hits(shown: Console, page: dict[str, Any]) -> None:
    """Print a page of hits: name, type or collection, score, and passages, matches in colour."""
    for notice in page["notices"]:
        shown.print(Text(notice, style="yellow"))
    if not page["items"]:
        shown.print("nothing was found")
    for number, hit in enumerate(page["items"], start=1):
        own_id = hit.get("document_id") or hit["id"]
        name = hit.get("title") or hit.get("filename") or own_id
        line = Text(f"{number}. ").append(str(name), style="bold")
        group = hit.get("type") or hit.get("collection") or ""
        line.append(f"  {group}  score {hit['score']:.2f}  ", style="dim")
        line.append(own_id, style="dim")
        shown.print(line, soft_wrap=True)
        for passage in hit["highlights"][:_PASSAGES]:
            place = "" if hit.get("kind") == "object" else f"page {passage['page']}: "
            line = Text(f"   {place}", style="dim")
            shown.print(line.append(highlighted(passage, coloured=shown.is_terminal)))
    if page["has_more"]:
        shown.print("there is more; raise --limit", style="dim")


def highlighted(passage: dict[str, Any], *, coloured: bool) -> Text:
    """Returns: a passage on one line, the words that matched in colour or between asterisks."""
    text: str = passage["text"]
    marked = Text(style="default")
    done = 0
    for match in passage["matches"]:
        start, end = match["start"] - passage["start"], match["end"] - passage["start"]
        marked.append(_tidy(text[done:start]))
        word = _tidy(text[start:end])
        marked.append(word if coloured else f"*{word}*", style="bold black on yellow")
        done = end
    return marked.append(_tidy(text[done:]))


def _tidy(text: str) -> str:
    """Returns: the text with each run of white space, such as a page's columns, made one space."""
    return re.sub(r"\s+", " ", text)
