"""Sending documents and following them until they have ended."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from cli.client import Gateway, Refusal
from cli.display import Display
from cli.tracking import Tracked, refresh

_AT_ONCE: Final = 4
_PAUSE_S: Final = 0.5


def work_through(
    gateway: Gateway,
    documents: Sequence[Tracked],
    send: Callable[[Tracked], None],
    shown: Display,
    *,
    wait: bool,
    limit_s: float = float("inf"),
) -> None:
    """Send the documents that have no id yet, four at a time, and show how they fare.

    Args:
        gateway: where they go.
        documents: those that already have an id are only followed.
        send: sends one and notes its id; a refusal by the gateway concerns only that one.
        shown: where progress is shown.
        wait: whether to follow them until all have ended.
        limit_s: when to stop following, seconds; what has not ended then stays as it is.

    Raises:
        Failure: the gateway does not answer.
    """
    end = time.monotonic() + limit_s
    with shown, ThreadPoolExecutor(_AT_ONCE) as pool:
        todo = [one for one in documents if one.document_id is None and not one.ended]
        sending = [pool.submit(_sent, send, one) for one in todo]
        try:
            while not _finished(sending) or (wait and not all(one.ended for one in documents)):
                if time.monotonic() > end:
                    pool.shutdown(wait=False, cancel_futures=True)
                    break
                refresh(gateway, documents)
                shown.show(documents)
                gateway.sleep(_PAUSE_S)
        except BaseException:
            # Above all Ctrl-C: uploads that wait for a busy gateway would hold the command up.
            gateway.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        shown.show(documents)


def _sent(send: Callable[[Tracked], None], one: Tracked) -> None:
    try:
        send(one)
    except Refusal as refusal:
        one.refuse(str(refusal))


def _finished(sending: Sequence[Future[None]]) -> bool:
    """Returns: whether all are sent. Raises: Failure: one could not be."""
    for future in sending:
        if future.done() and (error := future.exception()) is not None:
            raise error
    return all(future.done() for future in sending)
