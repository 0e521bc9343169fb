"""Objects by ids alone: is the id ours, in which collection is it, may the caller go there."""

from gateway.deps import Call
from gateway.errors import Forbidden, NotFound
from gateway.principal import Action, Principal
from gateway.queries import objects
from gateway.queries.objects import Located
from gateway.state import State
from schemas.ids import OBJECT


def check_id(state: State, caller: Principal, object_id: str) -> None:
    """Check that this id was handed out to this tenant. Raises: NotFound: it was not."""
    if not state.ids.verify(object_id, OBJECT, caller.gpt_id):
        raise no_object()


def check_scope(caller: Principal, action: Action, collection: str) -> None:
    """Check that a caller's key covers this, for routes whose path does not name the collection.

    Raises:
        Forbidden: it does not.
    """
    if not caller.may(action, collection):
        raise Forbidden(f"the key needs the scope {action} or {action}:{collection}")


async def located(state: State, caller: Principal, action: Action, object_id: str) -> Located:
    """Returns: in which collection an object is, or was before it was deleted.

    Raises:
        NotFound: there is no such object that this caller sees.
        Forbidden: the key does not cover this in its collection.
    """
    check_id(state, caller, object_id)
    found = await objects.located(state.direct, caller, object_id)
    # Repeats of changes get their first answers; nothing of a deleted collection can be read.
    if found is None or (action == "read" and not found.shelved):
        raise no_object()
    check_scope(caller, action, found.collection)
    return found


async def home(state: State, call: Call, object_id: str, *, gone_too: bool = False) -> str:
    """Returns: the collection of an object that is to be changed, a deleted one's if `gone_too`.

    A repeat of a change gets the first one's answer even where the object is gone by now.
    Raises as `located` does.
    """
    found = await located(state, call.principal, "write", object_id)
    if not (found.alive or gone_too or call.idempotency_key is not None):
        raise no_object()
    return found.collection


def no_object() -> NotFound:
    """Returns: the error that there is no object of that id, or none that the caller sees."""
    return NotFound("there is no such object; check the id")
