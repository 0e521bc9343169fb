"""What aiokafka does not expect of a connection, made into what it does.

uvloop refuses a write to a connection that has just been reset with RuntimeError, where asyncio's
own loop says nothing. aiokafka 0.x knows OSError only: the task that sends ends for good, and with
it the producer, or the consumer's part in its group.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_plain_send = AIOKafkaConnection.send


def mend() -> None:
    """Have all connections of this process take a refused write as a lost connection."""
    AIOKafkaConnection.send = _send


def _send(self: Any, request: Any, expect_response: Any = True) -> Any:  # noqa: ANN401, FBT002 - as there
    try:
        return _plain_send(self, request, expect_response)
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"connection to {self.host}:{self.port} broken") from error


def sender_ended(producer: Any) -> bool:  # noqa: ANN401 - faust's, or a fake
    """Returns: whether a producer of faust has stopped sending for good."""
    sender = getattr(getattr(producer, "_producer", None), "_sender", None)
    task = getattr(sender, "sender_task", None)
    return task is not None and task.done()
