"""The state of a request: what every call that starts work answers."""

from datetime import datetime
from typing import Any

from pydantic import Field

from schemas.api.model import Input, Output, Text
from schemas.problems import Problem
from schemas.states import Status


class Waiting(Output):
    """What a request waits for: something that is away, or the time of its next attempt."""

    stage: str = Field(description="The stage whose work waits.")
    waiting_for: str | None = Field(description="What it waits for, such as models.")
    since: datetime | None = Field(description="Since when it waits.")
    attempt: int = Field(description="The attempt that comes next, from 1.")
    attempts_allowed: int | None = Field(description="After so many it fails; null: no limit.")
    retry_at: datetime | None = Field(
        description="When the next attempt is due; null while what it waits for is away for all."
    )


class RequestState(Output):
    """A request's state, and its result once it has one."""

    request_id: str = Field(description="Id of the request.")
    document_id: str | None = Field(description="The document it concerns, if any.")
    kind: str | None = Field(description="What was asked, such as process-document.")
    status: Status = Field(description="completed, failed and cancelled are final.")
    status_url: str = Field(description="Where to ask for this state again; wait_s works there.")
    retry_after_s: int | None = Field(description="Seconds to wait before asking; null when final.")
    expected_wait_s: float | None = Field(
        description="Seconds that a document accepted now is expected to take, an estimate; null "
        "if nothing is known, the request is final, or it is not about work on a document."
    )
    waiting: Waiting | None = Field(description="What it waits for, while status is waiting.")
    correlation_id: str | None = Field(description="The client's own id, or the request's.")
    result: dict[str, Any] | None = Field(description="What came out, once completed.")
    problem: Problem | None = Field(description="What went wrong, once failed.")
    created_at: datetime | None = Field(description="When it was stored; null before that.")
    completed_at: datetime | None = Field(description="When it became final.")


class UploadItem(Output):
    """One file of an upload: its request's state, or why it was not taken."""

    filename: str | None = Field(description="Name of the file as it was sent.")
    request_id: str | None = Field(description="Id of its request; null if it was not taken.")
    document_id: str | None = Field(description="Id of its document; null if it was not taken.")
    status: Status = Field(description="State of its request.")
    status_url: str | None = Field(description="Where to ask for the state of its request.")
    retry_after_s: int | None = Field(description="Seconds to wait before asking or trying again.")
    expected_wait_s: float | None = Field(
        description="Seconds that a document accepted now is expected to take, an estimate."
    )
    correlation_id: str | None = Field(description="The client's own id, or the request's.")
    result: dict[str, Any] | None = Field(description="What came out, once completed.")
    problem: Problem | None = Field(description="What went wrong.")


class UploadItems(Output):
    """The outcome of several files, each on its own, in the order in which they were sent."""

    items: list[UploadItem]


class PingInput(Input):
    """A round trip through gateway, broker, worker, ledger and database."""

    note: Text | None = Field(default=None, max_length=256, description="Comes back in the result.")
