"""Answers to writes of objects, where what comes after the write fails."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import Request

from gateway import writes
from gateway.deps import Call
from gateway.errors import TookTooLong, Unavailable
from gateway.principal import Principal
from gateway.state import State
from schemas.states import Status
from schemas.writes import MergeObject, Operation, RestoreObject

PRINCIPAL = Principal("diary", None, "0123456789abcdef", frozenset({"read", "write"}), None)
CALL = Call(PRINCIPAL, "PATCH", "/v1/objects/obj_1", None, None, None, None)
KEPT = {"id": "obj_1", "gpt_id": "diary", "key": "k", "version": 4}
DONE = SimpleNamespace(
    status=Status.COMPLETED,
    result={"status": 200, "object": KEPT},
    request_id="req_1",
    correlation_id="req_1",
)


async def _done(*_: object) -> Any:
    return DONE


def failing(error: Exception) -> State:
    """A gateway whose reads of objects fail so."""

    async def row(*_: object) -> None:
        raise error

    return cast("State", SimpleNamespace(direct=SimpleNamespace(row=row)))


@pytest.mark.parametrize("error", [Unavailable("away"), TookTooLong("slow")])
@pytest.mark.parametrize(
    "operation", [MergeObject(key="k", patch={}), RestoreObject(key="k", version=1)]
)
async def test_what_was_changed_is_told_so_where_it_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, error: Exception, operation: Operation
) -> None:
    """An error would have clients make the change once more."""
    monkeypatch.setattr(writes, "ordered", _done)
    request = Request({"type": "http", "headers": []})

    answer = await writes.write_object(failing(error), CALL, request, "notes", operation)

    assert (answer.status_code, answer.headers["etag"]) == (200, '"4"')
    told = json.loads(bytes(answer.body))
    assert (told["id"], told["version"], told["body"]) == ("obj_1", 4, None)
