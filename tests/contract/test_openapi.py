"""The OpenAPI document: it is committed, true, and fits what GPTs can read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from gateway.app import openapi_document
from gateway.catalogue import KINDS, type_uri
from gateway.errors import GatewayError, InvalidInput
from gateway.openapi import operations, selected
from streams.parsing.errors import Code

COMMITTED = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
DOCS = Path(__file__).parents[2] / "docs"
SELECTION = re.compile(r"openapi\.json\?tags=([a-z,-]+)")
INPUTS = (
    "BatchInput",
    "BatchOperation",
    "CollectionChange",
    "CollectionInput",
    "ApiKeyInput",
    "BatchAddition",
    "BatchDocument",
    "DocumentData",
    "DocumentPatch",
    "GptInput",
    "GptPatch",
    "LetterSelection",
    "ManifestLine",
    "NewBatch",
    "ObjectInput",
    "ObjectMerge",
    "ObjectReplacement",
    "PingInput",
    "ReprocessInput",
    "RotateInput",
    "SearchInput",
    "TryInput",
    "UploadInput",
)
OPTIONAL = ("ApiProblem", "Problem", "FieldAnswer", "Place")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as the code makes it."""
    return openapi_document()


def everything(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields: each operation with its name."""
    for path, method, operation in operations(document):
        yield f"{method} {path}", operation


def test_the_committed_document_is_the_codes(document: dict[str, Any]) -> None:
    """Code and document do not differ; `actionstream docs` writes it anew."""
    assert json.loads(COMMITTED.read_text()) == document


def test_every_call_may_fail_unexpectedly(document: dict[str, Any]) -> None:
    """Then it is a problem document too, which programs that are made of this document can read."""
    for name, operation in everything(document):
        if "/v1/" in name:
            assert list(operation["responses"]["500"]["content"]) == ["application/problem+json"]


def test_it_is_a_valid_document(document: dict[str, Any]) -> None:
    """It holds to OpenAPI 3.1."""
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_descriptions_fit_a_gpt(document: dict[str, Any]) -> None:
    """Operations have at most 300 characters, parameters 700, and all have some."""
    for name, operation in everything(document):
        assert 1 <= len(operation["description"]) <= 300, name
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "path":
                assert 1 <= len(parameter["description"]) <= 700, (name, parameter["name"])


def test_operations_are_named_once(document: dict[str, Any]) -> None:
    """Each operation's id is its function's name, and unique."""
    names = [operation["operationId"] for _, operation in everything(document)]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)


def selections(document: dict[str, Any]) -> list[frozenset[str]]:
    """Returns: each tag alone, and each selection that the documentation names."""
    tags = {tag for _, operation in everything(document) for tag in operation["tags"]}
    pages = [page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md")]
    named = {found for page in pages for found in SELECTION.findall(page)}
    return [frozenset([tag]) for tag in tags] + [frozenset(one.split(",")) for one in named]


def test_what_gpts_are_given_has_30_operations_at_most(document: dict[str, Any]) -> None:
    """A GPT refuses more; whoever gives it more than one tag follows the documentation."""
    for tags in selections(document):
        chosen = selected(document, tags)
        assert 1 <= len(list(operations(chosen))) <= 30, tags


def test_a_selection_stands_for_itself(document: dict[str, Any]) -> None:
    """It is a valid document with the schemas that it names and no others."""
    for tags in selections(document):
        chosen = selected(document, tags)
        validate(chosen)
        named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(chosen)))
        assert named == set(chosen["components"]["schemas"]), tags


def test_an_end_user_is_named_at_all_calls_but_administrators(document: dict[str, Any]) -> None:
    """Said once, as parameter and as header, with what a key's own subject can be."""
    said = document["components"]["parameters"]
    assert {(one["in"], one["name"]) for one in said.values()} == {
        ("query", "subject"),
        ("header", "Actionstream-Subject"),
    }
    limits = document["components"]["schemas"]["ApiKeyInput"]["properties"]["subject"]["anyOf"][0]
    assert all(one["schema"] == limits for one in said.values())
    everywhere = [{"$ref": f"#/components/parameters/{name}"} for name in said]
    for path, item in document["paths"].items():
        of_users = path.startswith("/v1/") and not path.startswith("/v1/admin/")
        assert item.get("parameters") == (everywhere if of_users else None), path


def test_a_gpt_is_not_asked_whose_memory_it_reads(document: dict[str, Any]) -> None:
    """What GPTs are given has no end user to choose, nor is it larger for it."""
    for tags in selections(document):
        assert "Actionstream-Subject" not in json.dumps(selected(document, tags)), tags


def test_an_unknown_tag_is_refused(document: dict[str, Any]) -> None:
    """And the error names those that there are."""
    with pytest.raises(InvalidInput, match="collections"):
        selected(document, frozenset(["collection"]))


def test_a_patch_of_an_object_says_of_each_kind_what_it_is(document: dict[str, Any]) -> None:
    """As JSON it stands in `body`, beside what else there is; as any other kind it is bare."""
    taken = document["paths"]["/v1/objects/{object_id}"]["patch"]["requestBody"]
    wrapped, *bare = taken["content"].values()
    assert wrapped["schema"] == {"$ref": "#/components/schemas/ObjectMerge"}
    assert document["components"]["schemas"]["ObjectMerge"]["required"] == ["body"]
    assert '{"body": ' in taken["description"]
    assert len(bare) == 2
    assert all("itself" in one["schema"]["description"] for one in bare)


def test_lifetimes_say_what_0_and_null_mean(document: dict[str, Any]) -> None:
    """A client that fills in null for what it leaves out may do so."""
    for name in ("ObjectInput", "ObjectReplacement", "ObjectMerge", "BatchOperation"):
        model = document["components"]["schemas"][name]
        given = model["properties"]["ttl_s"]
        assert "ttl_s" not in model["required"], name
        assert [one["type"] for one in given["anyOf"]] == ["integer", "null"], name
        assert given["anyOf"][0]["minimum"] == 0, name
        assert "0: never; absent or null: the collection's default" in given["description"], name


def test_all_of_v1_needs_the_key(document: dict[str, Any]) -> None:
    """Calls under /v1 name the bearer key and 401; others are open."""
    for name, operation in everything(document):
        secured = " /v1/" in name
        assert operation["security"] == ([{"bearer": []}] if secured else []), name
        assert ("401" in operation["responses"]) == secured, name


def test_errors_are_problem_documents(document: dict[str, Any]) -> None:
    """Every answer from 400 on is a problem, but for health, which says what is missing."""
    for name, operation in everything(document):
        for status, response in operation["responses"].items():
            if status >= "400" and "/v1/" in name:
                assert list(response["content"]) == ["application/problem+json"], (name, status)


def test_inputs_refuse_unknown_fields(document: dict[str, Any]) -> None:
    """A misspelt field is an error and not ignored."""
    for name in INPUTS:
        assert document["components"]["schemas"][name]["additionalProperties"] is False, name


def test_outputs_name_every_field(document: dict[str, Any]) -> None:
    """What is answered has no defaults: every field is always there."""
    schemas = document["components"]["schemas"]
    for name, operation in everything(document):
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get("application/json", {})
            for model in _named(content.get("schema", {}), schemas):
                if model not in OPTIONAL:
                    schema = schemas[model]
                    missing = set(schema.get("properties", {})) - set(schema.get("required", ()))
                    assert not missing, (name, status, model)


def _named(schema: Any, schemas: dict[str, Any], seen: set[str] | None = None) -> set[str]:
    seen = set() if seen is None else seen
    if isinstance(schema, dict):
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            _named(schemas[name], schemas, seen)
        for inner in schema.values():
            _named(inner, schemas, seen)
    elif isinstance(schema, list):
        for inner in schema:
            _named(inner, schemas, seen)
    return seen


def subclasses(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    """Yields: a class, and all that are made of it, wherever they are."""
    yield kind
    for each in kind.__subclasses__():
        yield from subclasses(each)


def test_every_error_of_the_gateway_has_a_page() -> None:
    """The catalogue of problems names each class of error, in whatever module it is."""
    found = {error.__module__ for error in subclasses(GatewayError)}
    assert found >= {"gateway.errors", "gateway.events.errors"}
    for error in subclasses(GatewayError):
        assert type_uri(error.code).removeprefix("/problems/") in KINDS, error


def test_every_reason_of_the_parsers_has_a_page() -> None:
    """The catalogue of problems names each reason why a document cannot be parsed."""
    for code in Code:
        assert type_uri(code.value).removeprefix("/problems/") in KINDS, code
