"""Uploads: documents come in as files, as base64, or as links."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from gateway.answers import ACCEPTED, answered, note_ids
from gateway.bodies import bounded
from gateway.deps import CallDep, SecuredRoute, StateDep
from gateway.errors import UnsupportedMediaType
from gateway.uploads import enter, enter_each, take_form, take_json
from schemas.api.documents import UploadInput
from schemas.api.requests import RequestState, UploadItems

router = APIRouter(prefix="/v1/documents", tags=["documents"], route_class=SecuredRoute)

_NAME: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": 128,
    "pattern": "^[\\x21-\\x7e]+$",
}
_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "additionalProperties": False,
    "properties": {
        "file": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": "One file, or several parts of this name.",
        },
        "title": {"type": "string", "maxLength": 512, "description": "Title; found by search."},
        "metadata": {"type": "string", "description": "Your own data, as the text of an object."},
        "type": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]{0,62}$",
            "description": "The document's type, if you know it.",
        },
        "correlation_id": {**_NAME, "description": "Your own id."},
        "wait_s": {
            "type": "number",
            "minimum": 0,
            "maximum": 3600,
            "description": "Seconds to wait for the result.",
        },
        "idempotency_key": {
            **_NAME,
            "description": "Makes a repeat harmless; stands before the files.",
        },
    },
}
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/UploadInput"}},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}
MODELS: Final = (UploadInput,)
"""Models that the OpenAPI document must have although no parameter names them."""


@router.post(
    "",
    openapi_extra=BODY,
    responses={202: {"model": RequestState | UploadItems}},
)
async def upload_documents(
    request: Request, response: Response, state: StateDep, call: CallDep
) -> RequestState | UploadItems:
    """Takes in one file, several, base64 or a link.

    Answers at once with ids to ask with or, where wait_s is given and suffices, with the result.
    Of several files each has its own outcome in items.
    """
    state.admission.document_work()
    kind = request.headers.get("content-type", "")
    name = kind.partition(";")[0].strip().lower()
    if name == "application/json":
        with state.admission.upload():
            body = await bounded(request, state.settings.max_json_upload_bytes)
            taken, options = await take_json(state, call, body)
        return answered(await enter(state, call, taken, options), request, response)
    if name != "multipart/form-data":
        raise UnsupportedMediaType("send multipart/form-data with a part file, or application/json")
    with state.admission.upload():
        files, options = await take_form(state, call, request.stream(), kind)
    if len(files) == 1:
        return answered(await enter(state, call, files[0], options), request, response)
    items = await enter_each(state, call, files, options)
    note_ids(request, options.correlation_id or call.correlation_id)
    response.status_code = ACCEPTED
    return UploadItems(items=items)
