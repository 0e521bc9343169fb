"""Connections to the model server that break while they are opened."""

from typing import Any

import httpx
import pytest

from streams.clients.calls import Transport


class Pool:
    """Breaks."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def handle_async_request(self, _: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [AttributeError("'NoneType' has no 'getpeername'"), RuntimeError("the handler is closed")],
)
async def test_a_connection_reset_at_once_cannot_be_had(error: Exception) -> None:
    """What anyio and uvloop say of it is an outage for the caller, not a bug."""
    transport: Any = Transport()
    transport._pool = Pool(error)

    with pytest.raises(httpx.ConnectError):
        await transport.handle_async_request(httpx.Request("POST", "http://model/api/embed"))
