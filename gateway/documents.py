"""What all calls on one document begin with: is the id ours, and is the document still there."""

from gateway.deps import Principal
from gateway.errors import NotFound
from gateway.state import State
from schemas.ids import DOCUMENT


def check_id(state: State, principal: Principal, document_id: str) -> None:
    """Check that this id was handed out to this tenant.

    Raises:
        NotFound: it was not.
    """
    if not state.ids.verify(document_id, DOCUMENT, principal.gpt_id):
        raise NotFound("there is no such document; check the id")
