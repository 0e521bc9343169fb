"""For which requests a gateway has made a new key: a repeat is not shown another one.

Other gateways do not know of it.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.errors import MaybePublished, Unavailable

_MOST: Final = 10_000


class Issued:
    """The latest requests, for as long as the process runs."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    @contextmanager
    def noted(self, request_id: str) -> Iterator[bool]:
        """Yield whether this is the first call of a request here; the next one will not be.

        Unless nothing was published for it: then the next one is the first.
        """
        is_first = request_id not in self._known
        self._known[request_id] = None
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        try:
            yield is_first
        except MaybePublished:
            raise
        except Unavailable:
            if is_first:
                self._known.pop(request_id, None)
            raise
