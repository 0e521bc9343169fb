"""The worker's own disk: when it is full, that is an outage for every record, and no bug."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from streams.errors import DependencyDown

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def writing() -> Iterator[None]:
    """Raises: DependencyDown: there was no room for what was written in this context."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        detail = "the disk of the work folder is full; free space, or set ACTIONSTREAM_WORK_DIR"
        raise DependencyDown("disk", detail) from error
