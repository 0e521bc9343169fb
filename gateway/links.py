"""Links of the OpenAPI document: which calls go on with what an answer names."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

Json = dict[str, Any]


class _Rule(NamedTuple):
    """The calls that take, as these parameters, what these answers have at these places."""

    operations: tuple[str, ...]
    statuses: tuple[str, ...]
    parameters: dict[str, str]
    followers: tuple[str, ...]


_DONE: Final = ("200", "201")
_STARTED: Final = ("200", "202")
_GPT: Final = {"gpt_id": "$response.body#/gpt_id"}
_RULES: Final = (
    _Rule(
        ("create_object", "put_object_by_key", "replace_object"),
        _DONE,
        {"object_id": "$response.body#/id"},
        (
            "get_object",
            "replace_object",
            "update_object",
            "delete_object",
            "list_object_versions",
        ),
    ),
    _Rule(
        ("create_object", "update_object"),
        _DONE,
        {"object_id": "$response.body#/id", "version": "$response.body#/version"},
        ("get_object_version", "restore_object_version"),
    ),
    _Rule(
        ("put_object_by_key",),
        _DONE,
        {
            **_GPT,
            "name": "$response.body#/collection",
            "key": "$response.body#/key",
        },
        ("get_object_by_key", "put_object_by_key", "delete_object_by_key"),
    ),
    _Rule(
        ("put_collection",),
        _DONE,
        {**_GPT, "name": "$response.body#/name"},
        (
            "get_collection",
            "update_collection",
            "delete_collection",
            "create_object",
            "list_objects",
            "put_object_by_key",
            "write_batch",
            "list_changes",
        ),
    ),
    _Rule(
        ("upload_documents",),
        _STARTED,
        {"document_id": "$response.body#/document_id"},
        ("get_document", "update_document", "reprocess_document", "delete_document"),
    ),
    _Rule(
        ("create_batch",),
        _STARTED,
        {"batch_id": "$response.body#/batch_id"},
        (
            "get_batch",
            "list_batch_documents",
            "get_batch_results",
            "add_to_batch",
            "close_batch",
            "cancel_batch",
            "retry_batch",
        ),
    ),
    _Rule(
        ("upload_documents", "create_ping", "reprocess_document", "delete_document"),
        _STARTED,
        {"request_id": "$response.body#/request_id"},
        ("get_request",),
    ),
    _Rule(
        ("create_gpt",),
        _DONE,
        _GPT,
        ("get_gpt", "change_gpt", "disable_gpt", "enable_gpt", "delete_gpt", "create_key"),
    ),
    _Rule(
        ("create_key", "rotate_key"),
        _DONE,
        {**_GPT, "key_id": "$response.body#/key_id"},
        ("rotate_key", "revoke_key"),
    ),
)


def link(operations: dict[str, Json]) -> None:
    """Add the links to the answers of these operations, which are given by their ids."""
    for rule in _RULES:
        for name in rule.operations:
            for status in rule.statuses:
                answer = operations[name]["responses"].get(status)
                if answer is not None:
                    answer.setdefault("links", {}).update(_links(rule))


def among(operation: Json, known: Collection[str]) -> Json:
    """Returns: a copy of an operation, with only the links to these others."""
    responses = {}
    for status, answer in operation["responses"].items():
        links = {name: one for name, one in answer.get("links", {}).items() if name in known}
        bare = {name: value for name, value in answer.items() if name != "links"}
        responses[status] = {**bare, "links": links} if links else bare
    return {**operation, "responses": responses}


def _links(rule: _Rule) -> Json:
    return {
        follower: {"operationId": follower, "parameters": rule.parameters}
        for follower in rule.followers
    }
