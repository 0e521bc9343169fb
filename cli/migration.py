"""Preparing the servers step by step, waiting for those that are still starting."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from cli.errors import Failure
from streams import bootstrap
from streams.errors import Unavailable
from streams.seeds import UnusableKey
from streams.settings import Settings

Step = Callable[[], Awaitable[None]]

_PAUSE_S: Final = 1.0
# Waiting does not mend these, so they are said at once.
_LASTING: Final = ("authentication failed", "does not exist", "no pg_hba.conf entry")


async def prepare(settings: Settings, timeout_s: float) -> None:
    """Migrate the database, then make bucket and index; print a line a step.

    Raises:
        Failure: a server did not answer within `timeout_s`, or refused.
    """
    steps: dict[str, tuple[str, Callable[[Settings], Awaitable[None]]]] = {
        "Postgres": ("tables, roles, the first tenants and keys", bootstrap.migrate),
        "the object store or OpenSearch": ("bucket and search index", bootstrap.prepare_stores),
    }
    deadline = time.monotonic() + timeout_s
    for server, (made, step) in steps.items():
        began = time.monotonic()
        await patiently(server, partial(step, settings), deadline)
        print(f"{made}: ready ({time.monotonic() - began:.1f} s)", flush=True)


async def patiently(server: str, step: Step, deadline: float) -> None:
    """Take a step, again and again while its server does not answer.

    Raises:
        Failure: `deadline` (monotonic seconds) has passed, or the server refuses.
    """
    waiting = False
    while True:
        try:
            await step()
        except (OperationalError, InterfaceError, Unavailable, OSError) as error:
            reason = _reason(error)
            if any(words in reason for words in _LASTING):
                raise Failure(f"{server} refuses: {reason}") from None
            if time.monotonic() > deadline:
                raise Failure(
                    f"{server} did not answer in time ({reason}); start it, or check its address "
                    "with `actionstream config show --role worker`"
                ) from None
            if not waiting:
                print(f"waiting for {server}: {reason}", flush=True)
                waiting = True
            await asyncio.sleep(_PAUSE_S)
        except DBAPIError as error:
            raise Failure(f"{server} refuses: {_reason(error)}") from None
        except UnusableKey as error:
            raise Failure(str(error)) from None
        else:
            return


def _reason(error: BaseException) -> str:
    """Returns: the first line of what is wrong, without the statement and its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]
