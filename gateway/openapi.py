"""The OpenAPI 3.1 document: what FastAPI finds, with the problems and the key added."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway import acting, links
from gateway.deps import OTHER_KINDS
from gateway.errors import InvalidInput
from gateway.problems import MEDIA_TYPE
from schemas.api.model import SUBJECT
from schemas.api.problems import ApiProblem

Json = dict[str, Any]

DESCRIPTION: Final = (
    "Put documents in; get their type and fields with an honest confidence; find them again by "
    "words and by meaning. Work is asynchronous: a call answers at once with an id to ask with, "
    "or waits as long as `wait_s` says. Errors are problem documents (RFC 9457)."
)
_SECURED: Final = "/v1/"
_ADMIN: Final = "/v1/admin/"
_EVENTS: Final = "/v1/events"
_METHODS: Final = frozenset({"get", "put", "post", "patch", "delete"})
_PROBLEMS: Final = {
    400: "Malformed input.",
    401: "No key, or not a valid one.",
    403: "The key does not cover it, or a quota is used up.",
    404: "No such thing, or deleted.",
    406: "The client takes no JSON.",
    409: "Not possible in its present state.",
    410: "Too long ago; begin again.",
    412: "It has changed since that version.",
    413: "Above the size limit.",
    415: "A body of a kind that is not taken.",
    416: "Beyond the end of the file.",
    422: "A value is wrong; errors names each.",
    429: "Too many calls; see Retry-After.",
    500: "A fault of the server; it is logged under the id in X-Correlation-ID.",
    503: "A server behind the gateway is away; see Retry-After.",
}
_MAX_DESCRIPTION: Final = 300
_PARAMETERS: Final = "#/components/parameters/"
_SUBJECT: Final[Json] = {"type": "string", "minLength": 1, "maxLength": 256}
_ACTING: Final[Json] = {
    "subject": {
        "name": SUBJECT,
        "in": "query",
        "description": "The end user whom the call is for, where the key stands for all: it sees "
        "and writes what a key of that end user would. 403 where the key is another one's.",
        "schema": _SUBJECT,
    },
    "subject-header": {
        "name": acting.HEADER,
        "in": "header",
        "description": "Does what subject does; in UTF-8.",
        "schema": _SUBJECT,
    },
}
"""Parameters of all calls but those of administrators, said once."""

_COLLECTIONS: Final = ("/v1/gpts/", "/v1/objects/")
_SCHEMAS: Final = "#/components/schemas/"


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
    found["components"]["parameters"] = _ACTING
    for path, item in found["paths"].items():
        if path.startswith(_SECURED) and not path.startswith(_ADMIN):
            item["parameters"] = [{"$ref": _PARAMETERS + name} for name in _ACTING]
    links.link({one["operationId"]: one for _, _, one in operations(found)})
    return found


def selected(whole: Json, tags: frozenset[str]) -> Json:
    """Returns: the document with the calls of these tags alone, and the schemas that they name.

    No model is to choose whose memory it reads, so that they take no end user.

    Raises:
        InvalidInput: a tag that no call has.
    """
    tagged = {tag for _, _, operation in operations(whole) for tag in operation.get("tags", ())}
    for tag in sorted(tags - tagged):
        detail = f"there is no tag {tag[:64]!r}; there are {', '.join(sorted(tagged))}"
        raise InvalidInput.at("/tags", detail)
    chosen = {
        operation["operationId"]: (path, method, operation)
        for path, method, operation in operations(whole)
        if tags & set(operation.get("tags", ()))
    }
    paths: Json = {}
    for path, method, operation in chosen.values():
        paths.setdefault(path, {})[method] = links.among(operation, chosen.keys())
    schemas = whole["components"]["schemas"]
    named: set[str] = set()
    _name(paths, schemas, named)
    kept = {name: schema for name, schema in schemas.items() if name in named}
    components = {"schemas": kept, "securitySchemes": whole["components"]["securitySchemes"]}
    return {**whole, "paths": paths, "components": components}


def _name(part: Any, schemas: Json, named: set[str]) -> None:  # noqa: ANN401 - any part of it
    """Add the names of all schemas that a part of the document leads to."""
    if isinstance(part, list):
        for inner in part:
            _name(inner, schemas, named)
    elif isinstance(part, dict):
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith(_SCHEMAS):
            name = reference.removeprefix(_SCHEMAS)
            if name not in named:
                named.add(name)
                _name(schemas[name], schemas, named)
        for inner in part.values():
            _name(inner, schemas, named)


def operations(found: Json) -> Iterator[tuple[str, str, Json]]:
    """Yields: path, method and operation of each call in a document."""
    for path, item in found["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield path, method, operation


def _schemas(models: tuple[type[BaseModel], ...]) -> Json:
    _, definitions = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=_SCHEMAS + "{model}",
    )
    schemas: Json = definitions["$defs"]
    return schemas


def _complete(path: str, method: str, operation: Json) -> None:
    description = " ".join(operation.get("description", "").split())
    operation["description"] = description[:_MAX_DESCRIPTION]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _never_null(parameter["schema"])
    responses = operation["responses"]
    responses.pop("422", None)
    if not path.startswith(_SECURED):
        operation["security"] = []
        return
    operation["security"] = [{"bearer": []}]
    operation["x-openai-isConsequential"] = method in {"delete", "put", "patch"}
    if method == "get" and "If-None-Match" in _parameters(operation):
        responses["304"] = {"description": "You have it already."}
    for status in _statuses(path, method, operation):
        responses[str(status)] = {
            "description": _PROBLEMS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}ApiProblem"}}},
        }
    operation["responses"] = dict(sorted(responses.items()))


def _never_null(schema: Json) -> Json:
    """Returns: the schema of a parameter, which can be absent, but has no way to say null."""
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    return {**rest, **kinds[0]} if len(kinds) == 1 else schema


def _statuses(path: str, method: str, operation: Json) -> set[int]:
    parameters, changes = _parameters(operation), method != "get"
    rules = (
        ({401, 403, 422, 429, 500, 503}, True),
        ({406}, not path.endswith(OTHER_KINDS)),
        ({404}, "{" in path),
        ({400, 413, 415}, "requestBody" in operation),
        ({400}, "cursor" in parameters),
        ({409}, "q" in parameters and path.startswith(_COLLECTIONS)),
        ({409}, changes and ("{document_id}" in path or path.startswith(_ADMIN))),
        ({412}, "If-Match" in parameters),
        ({409, 412, 413}, changes and path.startswith(_COLLECTIONS)),
        ({410}, path.endswith("/changes")),
        ({400, 410}, path.startswith(_EVENTS)),
        ({409, 416}, path.endswith("/content")),
        ({409}, path.endswith("/try")),
        ({409}, changes and "{batch_id}" in path),
    )
    return {status for statuses, holds in rules if holds for status in statuses}


def _parameters(operation: Json) -> set[str]:
    return {one["name"] for one in operation.get("parameters", [])}
