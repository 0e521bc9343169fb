"""Connections to the brokers that break in ways which aiokafka does not expect."""

import asyncio
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from streams import connections


class Writer:
    """Refuses to write, as uvloop does on a connection that was just reset."""

    def write(self, _: bytes) -> None:
        raise RuntimeError("the handler is closed")

    def close(self) -> None:
        """Close nothing."""


class Producer:
    """What faust's producer holds of aiokafka's."""

    def __init__(self, task: Any) -> None:
        self._producer = self
        self._sender = self
        self.sender_task = task


async def test_a_refused_write_is_a_lost_connection() -> None:
    """Then the client connects anew, and whoever sends tries again."""
    connections.mend()
    connection: Any = AIOKafkaConnection("127.0.0.1", 1, request_timeout_ms=1000)
    connection._writer = Writer()
    connection._versions = {3: (0, 0)}

    with pytest.raises(KafkaConnectionError):
        connection.send(MetadataRequest([]))

    assert not connection.connected()


async def test_a_sender_that_ended_is_noticed() -> None:
    """One that runs, or that is not there yet, has not ended."""
    running = asyncio.create_task(asyncio.sleep(60))
    ended = asyncio.create_task(asyncio.sleep(0))
    await ended

    assert connections.sender_ended(Producer(ended))
    assert not connections.sender_ended(Producer(running))
    assert not connections.sender_ended(object())
    running.cancel()
