"""A bare Starlette application that answers with the same SQL through psycopg, and nothing else.

No keys, no limits, no tenants, no checks, no logs, no metrics: what the product's reads are held
against. One uvicorn process with the product's server settings. `python -m bench.bare PORT FILE`;
the file is JSON: the address of the database, how many connections, and the statements.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

OBJECT_ID: Final = "<object id>"
"""Stands for the id among the parameters of the statement that reads one object."""

PAGE: Final = 50
"""The statement of a page asks for one more, to know whether there is one."""

_KEEP_ALIVE_S: Final = 75


@dataclass(frozen=True, slots=True)
class Given:
    """What the application is started with; `pages` are the parameters of each page of the list.

    The first page has a statement of its own.
    """

    url: str
    gpt_id: str
    connections: int
    one: str
    one_parameters: list[Any]
    page: str
    later: str
    pages: list[Any]


class _Connections:
    """Some connections, each used by one request at a time."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._free = asyncio.Semaphore(given.connections)
        self._idle: list[psycopg.AsyncConnection[Any]] = []

    async def open(self) -> None:
        options = f"-c actionstream.gpt_id={self._given.gpt_id} -c timezone=UTC"
        for _ in range(self._given.connections):
            self._idle.append(
                await psycopg.AsyncConnection.connect(
                    self._given.url, autocommit=True, prepare_threshold=1, options=options
                )
            )

    async def rows(self, sql: str, parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        async with self._free:
            connection = self._idle.pop()
            try:
                cursor = await connection.execute(sql, parameters)
                return await cursor.fetchall()
            finally:
                self._idle.append(connection)

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()


def application(given: Given) -> Starlette:
    """Returns: the application."""
    connections = _Connections(given)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await connections.open()
        yield
        await connections.close()

    async def one(request: Request) -> Response:
        object_id = request.path_params["object_id"]
        values = [object_id if each == OBJECT_ID else each for each in given.one_parameters]
        [row] = await connections.rows(given.one, values)
        return Response(f"{row[-2]}{row[-1]}}}", media_type="application/json")

    async def page(request: Request) -> Response:
        number = int(request.query_params.get("page", "0"))
        statement = given.later if number else given.page
        rows = await connections.rows(statement, given.pages[number])
        items = ",".join(f"{row[-2]}{row[-1]}}}" for row in rows[:PAGE])
        return Response(f'{{"items":[{items}]}}', media_type="application/json")

    routes = [Route("/objects/{object_id}", one), Route("/objects", page)]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    started_with = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    uvicorn.run(
        application(Given(**started_with)),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
