"""Whether those who came in may stay: closes streams whose key does not open events any more.

Where news of a key come, at once; and once a second for all, since news may be missed.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Final

import structlog

from gateway.errors import Forbidden, GatewayError, GptDisabled, Unauthorised, Unavailable
from gateway.events import closing
from gateway.events.stream import Stream
from gateway.keys.keys import Keys
from gateway.principal import Principal

CHECK_S: Final = 1.0
_AT_ONCE: Final = 2
"""Keys read at once, so that those of calls that come meanwhile do not wait behind all of them."""

_log = structlog.get_logger("gateway.events")


class Staying:
    """Make and use it on one event loop.

    Args:
        keys: looked at again, and heard of.
        streams: those that are open, at any time.
    """

    def __init__(self, keys: Keys, streams: Collection[Stream]) -> None:
        self._keys = keys
        self._streams = streams
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._tasks = {asyncio.create_task(self._check_on())}
        keys.follow(self._changed)

    async def close(self) -> None:
        """Look at nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def _changed(self, gpt_id: str, key_ids: tuple[str, ...]) -> None:
        """Look at the streams of these keys of a tenant, or of all where none is named."""
        theirs = [
            one
            for one in self._streams
            if one.caller.gpt_id == gpt_id and (not key_ids or one.caller.key_id in key_ids)
        ]
        if theirs:
            task = asyncio.create_task(self._check_changed(theirs))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _check_changed(self, streams: list[Stream]) -> None:
        for stream, error in await self._refusals(streams):
            # What has changed cannot be known, and the last that was known was good until then.
            stream.close(closing.of(error))

    async def _check_on(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                for stream, error in await self._refusals(self._streams):
                    # Of these nothing is told, so whoever came in stays until it can be known.
                    if not isinstance(error, Unavailable):
                        stream.close(closing.of(error))
            except Exception:  # noqa: BLE001 - this must outlive whatever is wrong with one look
                _log.exception("keys of streams were not looked at")

    async def _refusals(self, streams: Iterable[Stream]) -> list[tuple[Stream, GatewayError]]:
        """Returns: the streams that are not known to be allowed, and why; each key is read once."""
        streams = list(streams)
        tokens = list({one.token for one in streams})
        found = dict(zip(tokens, await asyncio.gather(*map(self._refusal, tokens)), strict=True))
        errors = ((one, found[one.token]) for one in streams)
        return [(one, error) for one, error in errors if error is not None]

    async def _refusal(self, token: str) -> GatewayError | None:
        try:
            caller = self._keys.remembered(token) or await self._read(token)
        except (Unauthorised, GptDisabled, Unavailable) as error:
            return error
        return None if caller.may("read") else Forbidden("the key does not cover events any more")

    async def _read(self, token: str) -> Principal:
        async with self._turns:
            return await self._keys.read(token, None)
