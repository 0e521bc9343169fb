"""What an import did and what it could not do."""

import sys
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Report:
    """Counts of this run, and a sentence for each thing that failed, said at once on stderr."""

    collections: int = 0
    objects: int = 0
    before: int = 0
    expired: int = 0
    types: int = 0
    documents: int = 0
    corrected: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def fail(self, sentence: str, count: int = 1) -> None:
        """Note and say what failed; `count` is how many things that were."""
        self.failed += count
        self.failures.append(sentence)
        print(sentence, file=sys.stderr, flush=True)

    def to_json(self) -> dict[str, Any]:
        """Returns: the same for machines."""
        return {name: getattr(self, name) for name in self.__slots__}
