"""Lists of objects: the filter that is asked for, the page, its cursor and the count."""

from dataclasses import dataclass
from typing import Literal

from gateway.errors import InvalidInput, NotReady, QueryTooSlow, TookTooLong
from gateway.lists import conditions
from gateway.principal import Principal
from gateway.queries import collections, object_pages
from gateway.queries.collections import Shape
from gateway.queries.object_filters import Filter, compiled
from gateway.queries.object_pages import MOST_COUNTED, PAGE_CHARS, PROBED, Item, Page, Wanted
from gateway.state import State
from gateway.trimming import Tree, tree_of, trimmed
from schemas.object_where import parse

_TRIMMED_BUDGET = 10 * PAGE_CHARS
"""Bytes of whole bodies read for a page of trimmed ones."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list is asked for; texts are as the client wrote them."""

    name: str
    where: str | None
    q: str | None
    order: Literal["asc", "desc"]
    limit: int
    fields: str | None

    def bound(self, caller: Principal) -> tuple[str, ...]:
        """Returns: what a cursor of the list is good for."""
        subject = caller.subject or ""
        where, q = self.where or "", self.q or ""
        return ("objects", caller.gpt_id, subject, self.name, self.order, where, q)


async def listed(
    state: State, caller: Principal, asked: Asked, cursor: str | None, *, count: bool
) -> tuple[str, str | None]:
    """Returns: the JSON of a page, and the cursor of the next one.

    Raises:
        Malformed: the cursor is not one of this list.
        InvalidInput: `where`, `q` or `fields` cannot be used.
        NotReady: what `q` asks is still being indexed.
        QueryTooSlow: no index serves the filter, and there is much to look through.
        NotFound: there is no such collection.
    """
    bound, after = asked.bound(caller), None
    if cursor is not None:
        created_at, object_id = state.cursors.open(cursor, *bound)
        after = (str(created_at), str(object_id))
    tree = None if asked.fields is None else tree_of(asked.fields)
    wanted = Wanted(
        name=asked.name,
        limit=asked.limit,
        order=asked.order,
        after=after,
        filter=await _filter(state, caller, asked),
        budget=PAGE_CHARS if tree is None else _TRIMMED_BUDGET,
    )
    try:
        page = await object_pages.page(state.direct, caller, wanted)
        total = await object_pages.count(state.direct, caller, wanted) if count else None
    except TookTooLong as error:
        raise _advice(wanted.filter) from error
    if page is None:
        raise collections.missing(asked.name)
    return _shown(state, page, tree, bound, total)


async def _filter(state: State, caller: Principal, asked: Asked) -> Filter:
    if asked.where is None and asked.q is None:
        return Filter()
    chosen = conditions(asked.where, parse)
    shape = await collections.shape(state.direct, caller, asked.name)
    if asked.q is not None:
        _check_words(shape, asked.q)
    found = compiled(chosen, shape, asked.q)
    if found.served == "set" and shape.object_count <= PROBED:
        # So few are looked through in less time than two statements take.
        found.served = None
    return found


def _check_words(shape: Shape, q: str) -> None:
    if not shape.indexes.get("text"):
        detail = "the collection declares no indexes.text; declare it, or filter by where"
        raise InvalidInput.at("/q", detail)
    if "\0" in q:
        raise InvalidInput.at("/q", "remove the NUL character")
    if not shape.ready:
        detail = "the collection's indexes are being made; GET it: indexes_ready says when"
        raise NotReady(detail, retry_after_s=5, headers={"Retry-After": "5"})


def _advice(wanted: Filter) -> QueryTooSlow:
    names = ", ".join(dict.fromkeys(wanted.unserved)) or "the whole collection"
    return QueryTooSlow(
        f"looking through {names} took too long, since no index serves it; declare "
        "indexes.ordered for paths that are compared with eq, in or ranges, indexes.equality for "
        "eq and in on any path, indexes.text for q; or add a condition that an index serves"
    )


def _shown(
    state: State, page: Page, tree: Tree | None, bound: tuple[str, ...], total: int | None
) -> tuple[str, str | None]:
    items, last = page.items, page.following
    if tree is not None:
        items = _fitting(items, tree)
        last = items[-1][:2] if len(items) < len(page.items) else last
    following = None if last is None else state.cursors.seal(list(last), *bound)
    listed = ",".join([f"{item[2]}{item[3]}}}" for item in items])
    kind = "null" if total is None else '"exact"' if total <= MOST_COUNTED else '"at_least"'
    number = "null" if total is None else min(total, MOST_COUNTED)
    return (
        f'{{"items":[{listed}],{next_page(following)},"total":{number},"total_is":{kind}}}',
        following,
    )


def _fitting(items: list[Item], tree: Tree) -> list[Item]:
    """Returns: objects with trimmed bodies, as many as fit a page and at least one."""
    kept: list[Item] = []
    size = 0
    for created_at, object_id, head, body in items:
        short = trimmed(body, tree)
        size += len(head) + len(short)
        if kept and size > PAGE_CHARS:
            break
        kept.append((created_at, object_id, head, short))
    return kept


def next_page(cursor: str | None) -> str:
    """Returns: what the JSON of every page of a list has in common."""
    # A cursor has no character that JSON escapes.
    text = "null" if cursor is None else f'"{cursor}"'
    return f'"next_cursor":{text},"has_more":{"false" if cursor is None else "true"}'
