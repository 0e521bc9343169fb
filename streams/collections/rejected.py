"""The one way in which an operation is answered with no."""

from collections.abc import Sequence

from schemas.problems import FieldError
from streams.errors import Refused


class Rejected(Refused):
    """An operation is not done; `errors` name the fields that are why."""

    def __init__(
        self, code: str, detail: str, status: int, errors: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(code, detail, status)
        self.errors = tuple(errors)

    def of_operation(self, place: int) -> "Rejected":
        """Returns: the same of a whole batch, because of the operation at this place in it."""
        errors = [
            error.model_copy(update={"pointer": f"/operations/{place}{error.pointer}"})
            for error in self.errors
        ]
        return Rejected(self.code, f"operation {place}: {self.detail}", self.status, errors)


def missing(what: str) -> Rejected:
    """Returns: the answer where there is nothing of that name for this caller."""
    return Rejected("not_found", f"There is no such {what}.", 404)


def check_room(holder: str, held: int, more: int, limit: int | None, what: str) -> None:
    """Check that a quota has room. Raises: Rejected (403): it has none, and names the figures."""
    if limit is not None and held + more > limit:
        detail = f"{holder} holds {held:,} {what}; {more:,} more would pass its limit of {limit:,}."
        raise Rejected("quota_exceeded", detail, 403)
