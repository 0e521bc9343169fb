"""Document types: built-in ones and the tenant's own; what documents are told by and read for."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import ValidationError

from gateway.answers import succeeded
from gateway.deps import CallDep, CallerDep, SecuredRoute, StateDep
from gateway.documents import known
from gateway.errors import Forbidden, InvalidInput
from gateway.invalid import invalid_input
from gateway.queries import document_types
from gateway.submission import Order, claim, fingerprint, submit
from schemas.api.document_types import (
    DocumentTypeDetail,
    DocumentTypeInput,
    DocumentTypeList,
    TryInput,
)
from schemas.api.model import storable
from schemas.api.requests import RequestState
from schemas.document_types import MAX_BYTES, DocumentType
from schemas.messages import PutDocumentType, TryDocumentType
from schemas.topics import PUT_DOCUMENT_TYPE, TRY_DOCUMENT_TYPE

router = APIRouter(prefix="/v1/document-types", tags=["document types"], route_class=SecuredRoute)

WAIT_S: Final = 10.0
TRY_WAIT_S: Final = 30.0
MODELS: Final = (DocumentTypeInput,)

_PENDING: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}
_DEFINITION: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/DocumentTypeInput"}}
        },
    }
}
TypeName = Annotated[
    str, Path(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="Name of the document type.")
]


@router.get("")
async def list_document_types(state: StateDep, caller: CallerDep) -> DocumentTypeList:
    """Lists the document types: the built-in ones and your own."""
    return await document_types.all_of(state.reader, caller)


@router.get("/{name}")
async def get_document_type(
    name: TypeName, state: StateDep, caller: CallerDep
) -> DocumentTypeDetail:
    """One document type: how it is recognised, its fields and their checks."""
    return await document_types.one(state.reader, caller, name)


@router.put("/{name}", responses=_PENDING, openapi_extra=_DEFINITION)
async def put_document_type(
    *,
    name: TypeName,
    body: Annotated[dict[str, Any], Body()],
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Creates or replaces a document type of your own; waits 10 s by default. No code is needed."""
    if call.principal.subject is not None:
        raise Forbidden("a key that is bound to an end user cannot change the GPT's document types")
    definition = _definition({"name": name, **body})
    if definition["name"] != name:
        raise InvalidInput.at("/name", "must be the name in the path, or left out")
    message = PutDocumentType(name=name, definition=definition)
    order = Order(
        topic=PUT_DOCUMENT_TYPE,
        key=f"{call.principal.gpt_id}/{name}",
        message=message,
        fingerprint=fingerprint(call, message.model_dump(mode="json")),
        document_id=None,
    )
    found = await submit(state, call, claim(state, call), order, WAIT_S)
    return succeeded(found, request, response)


@router.post("/{name}/try", responses=_PENDING)
async def try_document_type(
    *,
    name: TypeName,
    body: TryInput,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Reads one document by a type and stores nothing but the answer; waits 30 s by default."""
    state.admission.document_work()
    definition = None
    if body.definition is not None:
        definition = _definition({"name": name, **body.definition}, "/definition")
    else:
        await document_types.one(state.reader, call.principal, name)
    await known(state, call.principal, body.document_id)
    message = TryDocumentType(name=name, document_id=body.document_id, definition=definition)
    order = Order(
        topic=TRY_DOCUMENT_TYPE,
        key=body.document_id,
        message=message,
        fingerprint=fingerprint(call, message.model_dump(mode="json")),
        document_id=body.document_id,
    )
    found = await submit(state, call, claim(state, call), order, TRY_WAIT_S)
    return succeeded(found, request, response)


def _definition(body: Mapping[str, Any], pointer: str = "") -> dict[str, Any]:
    """Returns: the validated definition as it is stored.

    Raises:
        InvalidInput: a key is unknown, missing or wrong; each with its pointer.
    """
    try:
        storable(body)
        if len(json.dumps(body)) > MAX_BYTES:
            raise InvalidInput.at(pointer, f"is larger than {MAX_BYTES} bytes")
        found = DocumentType.model_validate(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        place = (pointer.strip("/"),) if pointer else ()
        raise invalid_input([{**one, "loc": (*place, *one["loc"])} for one in details]) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput.at(pointer, str(error)) from error
    return found.model_dump(mode="json", exclude_none=True)
