"""Single rows that are asked for at the same time are read by one statement.

A batch of the workers wakes all who wait for its requests at once; each then reads its own row.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, LiteralString

Key = tuple[str, str | None]
"""The id of what is asked for, and the end user whose it must be; none where it may be anyone's."""

Row = tuple[Any, ...]
Read = Callable[[str, LiteralString, tuple[object, ...]], Awaitable[list[Row]]]
_Asked = list[tuple[Key, "asyncio.Future[Row | None]"]]

_MOST: Final = 50
"""Rows of one statement; their results are in memory together."""


class Gathering:
    """Gathers the asks of one gateway. Make and use it on one event loop.

    Args:
        read: what reads rows: a tenant, a statement, its values.
        sql: the statement; it takes the ids and the end users as two lists, then the tenant, and
            its rows begin with the key that they are the answer to.
    """

    def __init__(self, read: Read, sql: LiteralString) -> None:
        self._read = read
        self._sql = sql
        self._asked: dict[str, _Asked] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def row(self, tenant: str, key: Key) -> Row | None:
        """Returns: the row of a key without the key, as it is now; none where there is none.

        Raises: what reading raises.
        """
        asked = self._asked.get(tenant)
        if asked is None or len(asked) >= _MOST:
            asked = self._asked[tenant] = []
            task = asyncio.create_task(self._answer(tenant, asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        answer: asyncio.Future[Row | None] = asyncio.get_running_loop().create_future()
        asked.append((key, answer))
        return await answer

    async def _answer(self, tenant: str, asked: _Asked) -> None:
        # By now everyone has asked who was woken together; who asks later must not be told of
        # what was there before.
        if self._asked.get(tenant) is asked:
            del self._asked[tenant]
        ids = [name for (name, _), _ in asked]
        subjects = [subject for (_, subject), _ in asked]
        try:
            found = await self._read(tenant, self._sql, (ids, subjects, tenant))
        except Exception as error:  # noqa: BLE001 - it is theirs who asked
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
            return
        rows = {(row[0], row[1]): row[2:] for row in found}
        for key, answer in asked:
            if not answer.done():
                answer.set_result(rows.get(key))
