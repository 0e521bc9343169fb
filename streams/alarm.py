"""Stopping a stage in which bug follows on bug, so that not all its records become dead letters.

Then something is wrong with the stage and not with its records: they wait until a worker is started
anew. A tenant whose records alone meet bugs, while the same worker has served another one in that
stage, is no reason: others would wait for what only that tenant sends.
"""

from collections import defaultdict
from collections.abc import Iterable

import structlog

from streams import metrics

log = structlog.get_logger()

_TOLD_APART = 2


class Alarm:
    """Counts the records of each stage that ended in a bug, in a row, and whose they are."""

    def __init__(self, bugs_in_a_row: int) -> None:
        self.stopped: dict[str, str] = {}
        self._most = bugs_in_a_row
        self._rows: dict[str, list[str]] = defaultdict(list)
        self._served: dict[str, set[str]] = defaultdict(set)

    def went_well(self, stage: str, tenants: Iterable[str]) -> None:
        """Note that records of these tenants ended well, which ends a row of bugs."""
        self._rows.pop(stage, None)
        served = self._served[stage]
        if len(served) < _TOLD_APART:
            served.update(tenants)

    def stops_at(self, stage: str, gpt_id: str, error: Exception) -> bool:
        """Count a record that ended in a bug; once, however often it was tried.

        Returns: whether the stage stops because of it.
        """
        # The newest ones tell whether more than one tenant is concerned.
        row = self._rows[stage] = [*self._rows[stage], gpt_id][-self._most :]
        if len(row) < self._most or (len(set(row)) == 1 and self._served[stage] - {gpt_id}):
            return False
        why = f"{len(row)} bugs in a row, the last one {type(error).__name__}"
        self.stopped[stage] = why
        metrics.STOPPED.labels(stage).set(1)
        log.critical(
            "stage stopped", stage=stage, reason=why, remedy="mend it and restart the worker"
        )
        return True
