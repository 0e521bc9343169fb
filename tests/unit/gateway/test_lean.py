"""Lean routes read parameters as FastAPI does."""

from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute

from gateway import lean, problems

NumberPath = Annotated[int, Path(ge=1)]


async def pair_of(first: NumberPath, second: Annotated[str, Query(max_length=3)] = "two") -> str:
    """Returns: two parameters as one."""
    return f"{first}-{second}"


async def shown(
    *,
    request: Request,
    first: NumberPath,
    pair: Annotated[str, Depends(pair_of)],
    flag: Annotated[bool, Query()] = False,
    needed: Annotated[int, Query(le=10)],
    mark: Annotated[str | None, Header(alias="X-Mark")] = None,
) -> Response:
    """What it was called with."""
    return Response(f"{request.method} {first} {pair} {flag} {needed} {mark}")


def client(route: type[APIRoute]) -> httpx2.AsyncClient:
    """A client of an application with this one route."""
    app, router = FastAPI(), APIRouter(route_class=route)
    router.get("/{first}", response_model=None)(shown)
    problems.install(app)
    app.include_router(router)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test")


CALLS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("/1", {"needed": "3"}, {}),
    ("/1", {"needed": "3", "flag": "true", "second": "x"}, {"x-mark": "m"}),
    ("/0", {"needed": "3"}, {}),
    ("/one", {"needed": "11", "flag": "perhaps"}, {}),
    ("/1", {}, {}),
    ("/1", {"needed": "3", "second": "long"}, {}),
]


@pytest.mark.parametrize(("path", "parameters", "headers"), CALLS)
async def test_it_answers_as_fastapi_does(
    path: str, parameters: dict[str, str], headers: dict[str, str]
) -> None:
    """The same values, and the same places of the same errors."""
    answers: list[tuple[int, Any]] = []
    for route in (APIRoute, lean._Lean):
        async with client(route) as calling:
            answer = await calling.get(path, params=parameters, headers=headers)
        if answer.status_code == 200:
            answers.append((200, answer.text))
        else:
            found = answer.json()["errors"]
            answers.append((answer.status_code, sorted(one["pointer"] for one in found)))
    assert answers[0] == answers[1]
