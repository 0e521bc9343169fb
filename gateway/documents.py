"""What all calls on one document begin with: is the id ours, and is the document still there."""

from gateway.database import Row
from gateway.errors import NotFound
from gateway.principal import Principal
from gateway.queries import documents
from gateway.state import State
from schemas.ids import DOCUMENT
from schemas.states import Status


def check_id(state: State, principal: Principal, document_id: str) -> None:
    """Check that this id was handed out to this tenant.

    Raises:
        NotFound: it was not.
    """
    if not state.ids.verify(document_id, DOCUMENT, principal.gpt_id):
        raise NotFound("there is no such document; check the id")


async def known(state: State, principal: Principal, document_id: str) -> Row | None:
    """Returns: the document's row; none where its id was handed out and it is not stored yet.

    Raises:
        NotFound: the id was not handed out to this tenant, or the document is another end user's,
            or has been deleted.
    """
    check_id(state, principal, document_id)
    return await documents.find(state.reader, principal, document_id)


def unstored(document_id: str) -> Row:
    """Returns: what stands for the row of a document that is not stored yet."""
    names = ("run_id", "page_count", "type", "confidence", "s3_key", "version")
    return {
        **dict.fromkeys(names),
        "document_id": document_id,
        "status": Status.ACCEPTED,
        "fields": {},
        "needs_review": False,
    }
