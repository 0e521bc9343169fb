"""Objects of the store beside the rows that name them.

Bytes go in before the record that names them, so an object that nothing names may be an upload
whose record is still on its way, for as long as the topics keep their records. Only objects under a
document's own prefix are the product's; what else lies there belongs to those who put it there.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, func, literal, or_, select

from schemas.ids import DOCUMENT
from schemas.retention import LONGEST_INPUT
from schemas.states import EntryState
from schemas.tables import BATCH_ENTRIES, DEAD_LETTERS, DOCUMENTS
from streams.clients.s3 import StoredObject
from streams.failures import NOBODY
from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.stores import Stores

_OWN: Final = re.compile(r"(?P<gpt_id>[^/]+)/documents/(?P<document_id>[^/]+)/.+")
_AT_ONCE: Final = 8


async def without_row(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield objects that no document, no batch and no dead letter names."""
    async for page in _listed(stores, look):
        named = await _named(stores, {each.key for each in page})
        for each in page:
            if each.key not in named:
                yield _nobodys(stores, each)
        look.seen(len(page))


def _nobodys(stores: Stores, each: StoredObject) -> Difference:
    age = datetime.now(UTC) - each.modified_at
    own = _OWN.fullmatch(each.key)
    gpt_id = each.key.partition("/")[0]
    if own is None or not stores.ids.verify(own["document_id"], DOCUMENT, gpt_id):
        detail = f"{each.size_bytes} bytes that no row names, not under a document's own prefix"
        return Difference(Kind.OBJECT_WITHOUT_ROW, each.key, detail, gpt_id)
    detail = f"{each.size_bytes} bytes that no row or dead letter names, {age.days} days old"
    return Difference(
        Kind.OBJECT_WITHOUT_ROW,
        each.key,
        detail,
        gpt_id,
        own["document_id"],
        certain=age > LONGEST_INPUT,
    )


async def _listed(stores: Stores, look: Look) -> AsyncIterator[Sequence[StoredObject]]:
    if look.only is None:
        async for page in stores.store.pages():
            yield page
        return
    for key in look.only:
        found = await stores.store.find(key)
        if found is not None:
            yield [found]


async def _named(stores: Stores, keys: Collection[str]) -> set[str]:
    """Returns: those of the keys that a document, a batch's order or a dead letter names."""
    # By the document in the key first: that is an index lookup, and the answer for nearly all.
    owners = {own["document_id"] for key in keys if (own := _OWN.fullmatch(key))}
    rows = await stores.rows(
        select(DOCUMENTS.c.s3_key).where(
            or_(DOCUMENTS.c.document_id.in_(owners), DOCUMENTS.c.parent_id.in_(owners)),
            DOCUMENTS.c.s3_key.is_not(None),
        )
    )
    named = {row.s3_key for row in rows}
    orders = BATCH_ENTRIES.c.order["source"]["key"].astext
    queued = select(orders.label("s3_key")).where(
        BATCH_ENTRIES.c.state == EntryState.QUEUED, orders.in_(set(keys) - named)
    )
    by_owner = BATCH_ENTRIES.c.document_id.in_(owners)
    by_tenant = BATCH_ENTRIES.c.gpt_id.in_(_tenants(keys)) & BATCH_ENTRIES.c.released_at.is_(None)
    for which in (by_owner, by_tenant) if set(keys) - named else ():
        named |= {row.s3_key for row in await stores.rows(queued.where(which))}
    if rest := set(keys) - named:
        query = select(DOCUMENTS.c.s3_key).where(
            DOCUMENTS.c.gpt_id.in_(_tenants(rest)), DOCUMENTS.c.s3_key.in_(rest)
        )
        named |= {row.s3_key for row in await stores.rows(query)}
    for key in set(keys) - named:
        if await _in_letter(stores, key):
            named.add(key)
    return named


async def _in_letter(stores: Stores, key: str) -> bool:
    """Returns: whether a dead letter's value has the key, however its JSON writes it."""
    forms = {json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1]}
    forms |= {form.replace("/", "\\/") for form in forms}
    query = select(DEAD_LETTERS.c.dead_letter_id).where(
        DEAD_LETTERS.c.gpt_id.in_([*_tenants([key]), NOBODY]),
        or_(
            *(
                func.position(literal(form.encode()).op("IN")(DEAD_LETTERS.c.record_value)) > 0
                for form in forms
            )
        ),
    )
    return bool(await stores.rows(query.limit(1)))


def _tenants(keys: Collection[str]) -> set[str]:
    return {key.partition("/")[0] for key in keys}


async def of_documents(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield documents whose object is not in the store."""
    query = select(DOCUMENTS.c.document_id, DOCUMENTS.c.gpt_id, DOCUMENTS.c.s3_key).where(
        DOCUMENTS.c.s3_key.is_not(None), DOCUMENTS.c.deleted_at.is_(None)
    )
    slots = asyncio.Semaphore(_AT_ONCE)

    async def absent(row: Row[Any]) -> bool:
        async with slots:
            return await stores.store.find(row.s3_key) is None

    async for rows in stores.pages(query, DOCUMENTS.c.document_id, only=look.only):
        missing = await asyncio.gather(*map(absent, rows))
        for row, gone in zip(rows, missing, strict=True):
            if gone:
                detail = f"its bytes are not in the object store: {row.s3_key}"
                yield Difference(
                    Kind.OBJECT_MISSING, row.document_id, detail, row.gpt_id, row.document_id
                )
        look.seen(len(rows))


async def _documents(stores: Stores) -> int:
    return await stores.count(
        select(DOCUMENTS.c.document_id).where(
            DOCUMENTS.c.s3_key.is_not(None), DOCUMENTS.c.deleted_at.is_(None)
        )
    )


COMPARISONS: Final = (
    Comparison("documents and their objects", of_documents, _documents),
    # A bucket does not tell how many objects it has.
    Comparison("objects and their rows", without_row, None, ("receive", "delete", "purge")),
)
