"""The OpenAPI document: valid, whole, true to the operations, the same each time."""

import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it brings no types
import msgspec
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from tandem.access import SCOPES
from tandem.api.openapi import TAGS, document, refusals, render
from tandem.api.operation import MAX_LIST, Operation
from tandem.api.operations import OPERATIONS
from tandem.api.problems import BY_CODE, row_of

DOCUMENT = document(OPERATIONS)
EACH = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


def of(operation: Operation[Any]) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def check(value: object, schema: dict[str, Any]) -> None:
    """Validate against a schema of the document."""
    whole = schema | {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def test_the_document_is_valid_and_the_same_each_time() -> None:
    jsonschema.Draft202012Validator(OPENAPI_31).validate(DOCUMENT)
    assert render(DOCUMENT) == render(document(OPERATIONS))
    assert msgspec.json.decode(render(DOCUMENT)) == DOCUMENT


def test_every_schema_is_valid_and_every_reference_leads_somewhere() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', render(DOCUMENT).decode()))
    assert names <= set(DOCUMENT["components"]["schemas"])
    assert not [name for name in DOCUMENT["components"]["schemas"] if "_" in name]


def test_names_and_routes_are_each_ones_own() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    routes = [(operation.method, operation.path) for operation in OPERATIONS]
    assert len(set(routes)) == len(routes)


@EACH
def test_an_operation_is_told_in_full(operation: Operation[Any]) -> None:
    told = of(operation)
    assert told["operationId"] == operation.name
    assert told["summary"]
    assert told["description"]
    assert operation.tag in TAGS
    assert operation.scope is None or operation.scope in SCOPES["merchant"]
    ways = [1 if kind == "anyone" else 2 for kind in operation.who]  # a key, or a session
    either = 0 if operation.or_scope is None else 2  # of a merchant's, with another scope
    assert len(told["security"]) == sum(ways) + either
    parameters = {each["name"]: each for each in told.get("parameters", [])}
    for name in operation.path_types:
        assert parameters[name]["required"]
    if operation.idempotency is not None:
        assert parameters["Idempotency-Key"]["required"] == (operation.idempotency == "required")


@EACH
def test_examples_are_what_they_are_examples_of(operation: Operation[Any]) -> None:
    told = of(operation)
    if operation.body_type is not None:
        content = told["requestBody"]["content"]["application/json"]
        check(content["example"], content["schema"])
        raw = msgspec.json.encode(content["example"])
        msgspec.json.decode(raw, type=operation.body_type)
    for parameter in told.get("parameters", []):
        if "example" in parameter:
            check(parameter["example"], parameter["schema"])
    for response in told["responses"].values():
        for content in response.get("content", {}).values():
            if "example" in content:
                check(content["example"], content["schema"])
            for code, example in content.get("examples", {}).items():
                assert example == {"$ref": f"#/components/examples/{code}"}
                check(DOCUMENT["components"]["examples"][code]["value"], content["schema"])


@EACH
def test_every_refusal_is_told_under_its_status(operation: Operation[Any]) -> None:
    responses = of(operation)["responses"]
    for refusal in refusals(operation):
        row = row_of(refusal)
        assert row is not None
        told = responses[str(row.status)]["content"]["application/problem+json"]
        assert refusal.code in told["examples"]
    for status, response in responses.items():
        assert (status == str(operation.status)) or set(
            response["content"]["application/problem+json"]["examples"]
        ) <= set(BY_CODE)


def test_lists_are_bounded() -> None:
    for operation in OPERATIONS:
        for parameter in of(operation).get("parameters", []):
            if parameter["name"] == "limit":
                assert parameter["schema"]["maximum"] == MAX_LIST
                assert parameter["schema"]["default"] == 20
