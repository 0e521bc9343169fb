"""The first key that administers, made where no gateway can be asked for one."""

import time

from cli.errors import Failure
from cli.keys import print_once
from cli.migration import patiently
from streams import first_key
from streams.settings import Settings


async def bootstrap(settings: Settings, name: str, *, force: bool) -> None:
    """Enter a key that administers, and print it.

    Raises:
        Failure: one is there already and `force` was not given, the pepper is missing, or Postgres
            does not answer or has no tables yet.
    """

    async def enter() -> None:
        try:
            key = await first_key.enter(settings, name, beside_others=force)
        except first_key.NotEntered as error:
            raise Failure(str(error)) from None
        print_once("this key administers; set it as ACTIONSTREAM_ADMIN_KEY", str(key))

    await patiently("Postgres", enter, deadline=time.monotonic())
