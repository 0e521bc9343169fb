"""Every way in which work on a record ends without a result, told apart in this one place.

    StreamError
    ├── InvalidMessage   it can never be worked off: dead letter at once
    ├── Refused          the answer to the request is no; no dead letter
    ├── Unavailable      it may be worked off later
    │   ├── DependencyDown   down for everyone: costs no attempt, the stage waits in place
    │   │   └── TooLong      or the work itself takes longer than Postgres may take for it
    │   └── RecordTrouble    this record's own trouble: costs an attempt, then a dead letter
    ├── Fenced           another worker has taken the step over: nothing is written or published
    └── GiveWay          shutdown or rebalance: stop, acknowledge nothing

Anything else that escapes a handler is a bug: logged with its traceback, tried once more, then a
dead letter.
"""


class StreamError(Exception):
    """Root of this tree."""


class InvalidMessage(StreamError):
    """The record is wrong, and trying again cannot help.

    `code` is stable and for machines; `detail` says what is wrong and what would help.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Refused(StreamError):
    """The request was understood and is answered with a problem of this HTTP status."""

    def __init__(self, code: str, detail: str, status: int) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status


class Unavailable(StreamError):
    """Something outside did not do its part."""

    def __init__(self, dependency: str, detail: str) -> None:
        super().__init__(f"{dependency}: {detail}")
        self.dependency = dependency
        self.detail = detail


class DependencyDown(Unavailable):
    """A dependency is away for every record, so that waiting in place loses nothing."""


class TooLong(DependencyDown):
    """Postgres ended the work at its time limit: an outage, or the work's own doing."""


class RecordTrouble(Unavailable):
    """A dependency works, but not for this record."""


class Fenced(StreamError):
    """The step's lease was lost to another worker."""


class GiveWay(StreamError):
    """The worker is leaving the partition, so that the record is for the next owner."""
