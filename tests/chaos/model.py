"""A model server that can be told to misbehave, and keeps a log of what it was asked.

Run as `python -m tests.chaos.model PORT MS SLOTS LOG`. `POST /admin/behaviour` with mode, share and
seconds changes it; a restart makes it well again. The log has one JSON line for each call.
"""

import asyncio
import hashlib
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import uvicorn

from bench import fixed_model

MODES = ("error", "busy", "hang", "cut", "rubbish")
_NONCE = re.compile(rb'document id=\\?"[0-9a-f]+\\?"')
_MARK = re.compile(r"chaos-\d{6}")
_ASKED = ("/api/chat", "/api/embed")
_RUBBISH: dict[str, dict[str, Any]] = {
    "/api/chat": {"message": {"role": "assistant", "content": 'Sure! {"type": '}},
    "/api/embed": {"embeddings": [[0.5]]},
}
_STATUS = {"error": 500, "busy": 503}

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass
class Behaviour:
    """How a share of the calls is answered until a time."""

    mode: str = "answer"
    share: float = 0.0
    until: float = 0.0


class Moody:
    """The fixed model server behind moods that can be switched."""

    def __init__(self, inner: Any, log: Path) -> None:
        self._inner = inner
        self._log = log
        self._behaviour = Behaviour()
        self._chance = Random(0)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        body = await _body(receive)
        if scope["path"] == "/admin/behaviour":
            told = json.loads(body)
            until = time.time() + told["seconds"]
            self._behaviour = Behaviour(told["mode"], told["share"], until)
            await _answer(send, 200, told)
        elif scope["path"] in _ASKED:
            await self._asked(scope, body, receive, send)
        else:
            await self._inner(scope, _again(body, receive), send)

    async def _asked(self, scope: Message, body: bytes, receive: Receive, send: Send) -> None:
        mode = self._mode()
        began = time.time()
        match mode:
            case "answer":
                await self._inner(scope, _again(body, receive), send)
            case "hang":
                while (await receive())["type"] != "http.disconnect":
                    pass
            case "cut":
                headers = [(b"content-type", b"application/json"), (b"content-length", b"4000")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                half = {"type": "http.response.body", "body": b'{"model": "', "more_body": True}
                await send(half)
            case "rubbish":
                asked = json.loads(body)
                whole: Message = {"model": asked["model"], "created_at": "2026-01-01T00:00:00Z"}
                done = {"done": True, "done_reason": "stop", "prompt_eval_count": 1}
                await _answer(send, 200, {**whole, **done, **_RUBBISH[scope["path"]]})
            case _:
                await _answer(send, _STATUS[mode], {"error": "chaos"})
        self._note(scope["path"], body, mode, began)
        if mode == "cut":
            raise ConnectionAbortedError

    def _mode(self) -> str:
        now = self._behaviour
        chosen = time.time() < now.until and self._chance.random() < now.share
        return now.mode if chosen else "answer"

    def _note(self, path: str, body: bytes, mode: str, began: float) -> None:
        text = body.decode(errors="replace")
        line = {
            "at": began,
            "call": path.rpartition("/")[2],
            "mode": mode,
            "marks": sorted(set(_MARK.findall(text))),
            "prompt": digest(body),
        }
        # Written whole and at once, so that a kill leaves no half of a line behind.
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def digest(body: bytes) -> str:
    """Returns: what two calls with the same prompt have in common: all but the random marks."""
    return hashlib.sha256(_NONCE.sub(b"document", body)).hexdigest()[:16]


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Returns: what receives the body that was read already, and then what comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


async def _answer(send: Send, status: int, value: object) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


def main() -> None:
    """Serve until killed."""
    port, milliseconds, slots, log = sys.argv[1:5]
    inner = fixed_model.application(int(milliseconds) / 1000, int(slots))
    config = uvicorn.Config(Moody(inner, Path(log)), port=int(port), log_level="critical")
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
