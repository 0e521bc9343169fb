"""Everything that is looked at in the end, gathered once."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.chaos.journal import Sent
from tests.chaos.orders import GPT, Kind
from tests.chaos.outside import Entry, Outside, Record, Row

FINAL = frozenset({"completed", "failed", "cancelled"})
#: What a record ends with that met a model's rubbish at each of its attempts.
GAVE_UP = "models_trouble"


@dataclass(frozen=True)
class Finding:
    """Something that must not be.

    `kind`: lost, doubled, wrong, stale, left over, unfinished, differs.
    """

    kind: str
    detail: str


@dataclass
class Truth:
    """What was sent, and what the servers hold of it."""

    sent: list[Sent]
    tables: dict[str, list[Row]]
    entries: list[Entry]
    objects: set[str]
    results: list[Record]
    events: list[Record]
    letters: list[Record]
    lag: dict[str, int]
    changes: list[Record] = field(default_factory=list)
    gone: frozenset[str] = frozenset()

    @cached_property
    def requests(self) -> dict[str, list[Row]]:
        """Returns: the rows of requests by their own id and by the id that their sender chose."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.tables["requests"]:
            found[row["request_id"]].append(row)
            if row["correlation_id"] != row["request_id"]:
                found[row["correlation_id"]].append(row)
        return found

    @cached_property
    def accepted(self) -> list[Sent]:
        """Returns: the orders that were accepted."""
        return [each for each in self.sent if each.accepted_at is not None]

    @cached_property
    def deleted(self) -> set[str]:
        """Returns: the ids of documents whose deletion was accepted."""
        return {
            each.target
            for each in self.accepted
            if each.order.kind is Kind.DELETE and each.target is not None
        }

    @cached_property
    def ends(self) -> list[Row]:
        """Returns: the requests by which objects ended whose time was over."""
        asked = {row["request_id"] for sent in self.sent for row in self.rows_of(sent)}
        return [
            row
            for row in self.tables["requests"]
            if row["kind"] == "write-collection"
            and row["gpt_id"] == GPT
            and row["request_id"] not in asked
            and row["status"] == "completed"
            and _ended(row["result"] or {})
        ]

    @cached_property
    def gave_up(self) -> set[str]:
        """Returns: the requests that met a model's rubbish or a bug at each of their attempts."""
        troubled = {
            row["request_id"]
            for sent in self.accepted
            if sent.order.kind is Kind.PUT_TROUBLE
            for row in self.rows_of(sent)
        }
        return self._letters("dead", "redriven") | troubled

    @cached_property
    def excused(self) -> set[str]:
        """Returns: those of them that nobody sent again since."""
        return self._letters("dead")

    def _letters(self, *states: str) -> set[str]:
        return {
            row["request_id"]
            for row in self.tables["dead_letters"]
            if row["error"] == GAVE_UP and row["state"] in states and row["request_id"] is not None
        }

    def rows_of(self, sent: Sent) -> list[Row]:
        """Returns: the rows of an order's request; there should be one."""
        return self.requests.get(sent.request_id or sent.key, [])

    def completed_changes(self, kind: Kind) -> Counter[str]:
        """Returns: how many changes of a kind were completed, by document."""
        return Counter(
            each.target
            for each in self.accepted
            if each.order.kind is kind
            and each.target is not None
            and any(row["status"] == "completed" for row in self.rows_of(each))
        )


def _ended(result: dict[str, Any]) -> bool:
    """Returns: whether this is the end of an object that was put for a while, or finds it over."""
    one = result.get("object")
    return one is None or (result.get("change") == "deleted" and one["key"].startswith("t"))


async def gather(outside: Outside, sent: list[Sent], gone: Iterable[str] = ()) -> Truth:
    """Returns: the truth, as the servers tell it."""
    names = await outside.topics()
    letters = [name for name in names if name.endswith("-dlq")]
    return Truth(
        sent=sent,
        tables=await outside.tables(),
        entries=await outside.entries(),
        objects=await outside.objects(),
        results=await outside.records("results"),
        events=await outside.records("events") if "events" in names else [],
        letters=await outside.records(*letters),
        lag=await outside.lag(),
        changes=await outside.records("object-changed"),
        gone=frozenset(gone),
    )
