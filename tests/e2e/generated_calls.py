"""What Schemathesis cannot know of the calls that it makes up: keys of repeats, others' tenants."""

import os
import re
import uuid
from typing import Any

import schemathesis

_OWN = os.environ["GENERATED_GPT"]  # noqa: TID251 - the test that starts it hands it over so
_ADMIN = "/v1/admin/"
_GPT_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_REPEATABLE = re.compile(r"[\x21-\x7e]{1,128}")
_created = set[str]()


@schemathesis.hook
def before_load_schema(_: schemathesis.HookContext, schema: dict[str, Any]) -> None:
    """Have no call name an end user: chains would not find what their first call has made."""
    for item in schema["paths"].values():
        item.pop("parameters", None)


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], **__: Any) -> None:
    """Let no call repeat another one's idempotency key, nor change tenants of other tests."""
    for given, name in ((case.headers, "Idempotency-Key"), (case.query, "idempotency_key")):
        if given and isinstance(given.get(name), str) and _REPEATABLE.fullmatch(given[name]):
            given[name] = uuid.uuid4().hex
    if case.meta is not None and case.meta.generation.mode.is_positive:
        _drop_conditions(case)
    if not case.operation.path.startswith(_ADMIN):
        return
    gpt_id = case.path_parameters.get("gpt_id")
    if isinstance(gpt_id, str) and _GPT_ID.fullmatch(gpt_id) and gpt_id not in _created:
        case.path_parameters["gpt_id"] = _OWN if case.method != "DELETE" else uuid.uuid4().hex


def _drop_conditions(case: schemathesis.Case[Any]) -> None:
    """Let good calls change what is there, whose version the generator cannot know."""
    if case.meta is not None and case.meta.phase.name.value in {"fuzzing", "stateful"}:
        case.headers.pop("If-Match", None)
        for part in (case.query, case.body):
            if isinstance(part, dict):
                part.pop("if_version", None)
                part.pop("if_exists", None)


@schemathesis.hook
def after_call(
    _: schemathesis.HookContext,
    case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> None:
    """Note the tenants that were made up; these may be changed and deleted."""
    if case.operation.label == f"POST {_ADMIN}gpts" and response.status_code == 201:
        _created.add(response.json()["gpt_id"])
