"""Routes that cost little: parameters are read as FastAPI knows them, without its machinery.

FastAPI finds out for every call anew what it has to do; a tenth of a millisecond of a call that
takes half of one went there. Here that is found once. What is declared, documented and refused is
the same. Such a route takes no body of FastAPI's, and answers with a response.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from gateway.deps import SecuredRoute

_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class _Parameter:
    """One parameter: its name in Python, where it comes from, and its name there."""

    name: str
    place: tuple[str, str]
    field: Any  # FastAPI's own, which it does not export
    required: bool
    default: Any

    def read(self, given: Mapping[str, Any], values: dict[str, Any], errors: list[Any]) -> None:
        """Put the value into `values`, or what is wrong with it into `errors`."""
        text = given.get(self.place[1])
        if text is not None:
            value, wrong = self.field.validate(text, values, loc=self.place)
            if wrong:
                errors.extend(wrong)
            else:
                values[self.name] = value
        elif self.required:
            errors.append({"type": "missing", "loc": self.place, "msg": "Field required"})
        else:
            values[self.name] = self.default


class _Arguments:
    """What a function is called with for a request; its dependencies are coroutines."""

    def __init__(self, dependant: Dependant) -> None:
        self._path = _parameters("path", dependant.path_params)
        self._query = _parameters("query", dependant.query_params)
        self._headers = _parameters("header", dependant.header_params)
        self._request = dependant.request_param_name
        asked = (self._path, self._query, self._headers, dependant.dependencies)
        self.only_request = None if any(asked) else self._request
        self._inner = [
            (str(each.name), each.call, _Arguments(each)) for each in dependant.dependencies
        ]

    async def of(
        self, request: Request, query: Mapping[str, str], errors: list[Any]
    ) -> dict[str, Any]:
        """Returns: the arguments by name; what is wrong with them is added to `errors`."""
        values: dict[str, Any] = {}
        for name, call, arguments in self._inner:
            if arguments.only_request is not None:
                found = {arguments.only_request: request}
            else:
                found = await arguments.of(request, query, errors)
            if call is not None and not errors:
                values[name] = await call(**found)
        for parameter in self._path:
            parameter.read(request.path_params, values, errors)
        for parameter in self._query:
            parameter.read(query, values, errors)
        if self._headers:
            headers = request.headers
            for parameter in self._headers:
                parameter.read(headers, values, errors)
        if self._request is not None:
            values[self._request] = request
        return values


def _parameters(place: str, fields: list[Any]) -> tuple[_Parameter, ...]:
    return tuple(
        _Parameter(
            name=each.name,
            place=(place, each.alias),
            field=each,
            required=each.field_info.is_required(),
            default=each.default,
        )
        for each in fields
    )


class _Lean(APIRoute):
    """Calls its function with what `_Arguments` finds."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns: the handler of a route."""
        arguments, function = _Arguments(self.dependant), self.endpoint

        async def handler(request: Request) -> Response:
            query = request.query_params if request.scope["query_string"] else _NOTHING
            errors: list[Any] = []
            given = await arguments.of(request, query, errors)
            if errors:
                raise RequestValidationError(errors)
            response: Response = await function(**given)
            return response

        return handler


class LeanRoute(SecuredRoute, _Lean):
    """A route that authenticates first, and then reads its parameters itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - FastAPI's many
        super().__init__(*args, **kwargs)
        handler = self.get_route_handler()

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            # FastAPI would keep stacks here of what is to be closed after the call, and handle
            # errors once more; nothing is to be closed, and the application handles errors.
            response = await handler(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = answer

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Returns: whether a call is this route's, and what of its path is whose."""
        # Each call is held against the routes before its own, which nearly always have other paths.
        if not scope.get("root_path") and self.path_regex.match(scope["path"]) is None:
            return Match.NONE, {}
        return super().matches(scope)
