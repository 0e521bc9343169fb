"""The OpenAPI 3.1 document: what FastAPI finds, with the problems and the key added."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.problems import MEDIA_TYPE
from schemas.api.problems import ApiProblem

Json = dict[str, Any]

DESCRIPTION: Final = (
    "Put documents in; get their type and fields with an honest confidence; find them again by "
    "words and by meaning. Work is asynchronous: a call answers at once with an id to ask with, "
    "or waits as long as `wait_s` says. Errors are problem documents (RFC 9457)."
)
_SECURED: Final = "/v1/"
_ADMIN: Final = "/v1/admin/"
_METHODS: Final = frozenset({"get", "put", "post", "patch", "delete"})
_PROBLEMS: Final = {
    400: "Malformed input.",
    401: "No key, or not a valid one.",
    404: "No such thing, or deleted.",
    409: "Not possible in its present state.",
    412: "It has changed since that version.",
    413: "Above the size limit.",
    415: "A body of a kind that is not taken.",
    416: "Beyond the end of the file.",
    422: "A value is wrong; errors names each.",
    429: "Too many calls; see Retry-After.",
    503: "A server behind the gateway is away; see Retry-After.",
}
_MAX_DESCRIPTION: Final = 300


def document(app: FastAPI, extra_models: tuple[type[BaseModel], ...], public_url: str) -> Json:
    """Returns: the document of an application; `extra_models` are named by no parameter."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        servers=[{"url": public_url}],
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in _schemas((ApiProblem, *extra_models)).items():
        schemas.setdefault(name, schema)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    found["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "Your API key."}
    }
    for path, method, operation in operations(found):
        _complete(path, method, operation)
    return found


def operations(found: Json) -> Iterator[tuple[str, str, Json]]:
    """Yields: path, method and operation of each call in a document."""
    for path, item in found["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield path, method, operation


def _schemas(models: tuple[type[BaseModel], ...]) -> Json:
    _, definitions = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    schemas: Json = definitions["$defs"]
    return schemas


def _complete(path: str, method: str, operation: Json) -> None:
    description = " ".join(operation.get("description", "").split())
    operation["description"] = description[:_MAX_DESCRIPTION]
    responses = operation["responses"]
    responses.pop("422", None)
    if not path.startswith(_SECURED):
        operation["security"] = []
        return
    operation["security"] = [{"bearer": []}]
    operation["x-openai-isConsequential"] = method in {"delete", "put", "patch"}
    for status in _statuses(path, method, operation):
        responses[str(status)] = {
            "description": _PROBLEMS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ApiProblem"}}},
        }
    operation["responses"] = dict(sorted(responses.items()))


def _statuses(path: str, method: str, operation: Json) -> set[int]:
    statuses = {401, 422, 429, 503}
    if "{" in path:
        statuses.add(404)
    if "requestBody" in operation:
        statuses |= {400, 413, 415}
    if any(one["name"] == "cursor" for one in operation.get("parameters", [])):
        statuses.add(400)
    if "{document_id}" in path and method != "get":
        statuses.add(409)
    if any(one["name"] == "If-Match" for one in operation.get("parameters", [])):
        statuses.add(412)
    if path.startswith(_ADMIN) and method != "get":
        statuses.add(409)
    if path.endswith("/content"):
        statuses |= {409, 416}
    if path.endswith("/try"):
        statuses.add(409)
    return statuses
