"""Who calls, and what its key allows."""

from dataclasses import dataclass
from typing import Literal

Action = Literal["read", "write", "admin"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: a tenant, and within it one end user, or everyone.

    An end user is one whom the key stands for, or whom the call names (`gateway.acting`).
    `scopes` are as the key bears them: `read` and `write` cover everything of the tenant,
    `read:diary` and `write:diary` one collection, `admin` what is under /v1/admin and nothing else.
    `rate_limits` stand in the place of the installation's own.
    """

    gpt_id: str
    subject: str | None
    key_id: str
    scopes: frozenset[str]
    rate_limits: str | None

    @property
    def name(self) -> str:
        """Returns: the caller as records of who did what name it."""
        return self.subject or f"key:{self.key_id}"

    def may(self, action: Action, collection: str | None = None) -> bool:
        """Returns: whether the key covers this, for one collection if given, else for all."""
        return action in self.scopes or (
            collection is not None and f"{action}:{collection}" in self.scopes
        )

    def may_somewhere(self, action: Action) -> bool:
        """Returns: whether the key covers this for at least one collection."""
        return any(scope.partition(":")[0] == action for scope in self.scopes)
