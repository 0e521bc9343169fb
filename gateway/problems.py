"""Renders every error as a problem document (RFC 9457), the framework's own too."""

from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from gateway.catalogue import sentence, type_uri
from gateway.errors import GatewayError, Malformed
from gateway.invalid import invalid_input
from gateway.public import link
from schemas.api.problems import ApiProblem

MEDIA_TYPE: Final = "application/problem+json"

NOT_ALLOWED: Final = 405
_FRAMEWORK: Final[dict[int, tuple[str, str, str]]] = {
    400: ("malformed", "Malformed input", "the request cannot be read; check its syntax"),
    404: ("not_found", "Not found", "there is nothing at this path; see /docs"),
    405: ("method_not_allowed", "Method not allowed", "use one of the methods in Allow"),
    413: ("too_large", "Too large", "the body is above the limit; send less at once"),
    415: ("unsupported_media_type", "Unsupported media type", "send JSON"),
}


def rendered(error: GatewayError, path: str) -> Response:
    """Returns: the response of an error of the call of a path."""
    return response(error.problem(link(path)), error.headers)


def response(problem: ApiProblem, headers: dict[str, str] | None = None) -> Response:
    """Returns: the response of a problem document, without its empty members."""
    body = problem.model_dump_json(exclude_none=True, exclude_defaults=True)
    return Response(body, problem.status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make the application answer all errors as problem documents."""
    app.add_exception_handler(GatewayError, _own)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, _gone)


async def _own(request: Request, error: Any) -> Response:  # noqa: ANN401 - Starlette's signature
    return rendered(error, request.scope["path"])


async def _framework(request: Request, error: Any) -> Response:  # noqa: ANN401
    status = error.status_code
    code, title, detail = _FRAMEWORK.get(status, ("error", "Error", "the request was refused"))
    headers = dict(error.headers or {})
    if status == NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    problem = ApiProblem(
        type=type_uri(code),
        title=title,
        status=status,
        detail=sentence(detail),
        code=code,
        instance=link(request.scope["path"]),
    )
    return response(problem, headers)


def _methods(request: Request) -> list[str]:
    """Returns: all methods that routes of this path have; the framework names one route's only."""
    path = request.scope["path"]
    found = [
        route
        for route in request.app.router.routes
        if isinstance(route, Route) and route.path_regex.match(path)
    ]
    # A path that is written out, as /redrive, is not an id of the path with an id in that place.
    fewest = min(len(route.param_convertors) for route in found)
    methods = [route.methods or set() for route in found if len(route.param_convertors) == fewest]
    return sorted(set().union(*methods))


async def _validation(request: Request, error: Any) -> Response:  # noqa: ANN401
    path = request.scope["path"]
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return rendered(Malformed("the body is not JSON; check it with a JSON parser"), path)
    return rendered(invalid_input(found), path)


async def _gone(request: Request, _: Any) -> Response:  # noqa: ANN401
    return rendered(Malformed("the body ended before its end"), request.scope["path"])
