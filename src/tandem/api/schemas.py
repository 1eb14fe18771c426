"""JSON Schemas of types: msgspec's own, so what the document says is what the decoder checks."""

from functools import cache
from typing import Any, Final

import msgspec

REF: Final = "#/components/schemas/{name}"
EXAMPLE_DIGITS: Final = "0199f0a4c0de7000800000000000002a"


@cache
def schema_of(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - any type that msgspec knows
    """The schema of a type; of a struct, a reference to its own. It is shared: do not change it."""
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=REF)
    return schema


def parameter_schema(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - any type that msgspec knows
    """The schema of a parameter, all of it in its place.

    One that is not given is null here, and null is not sent.
    """
    (schema,), components = msgspec.json.schema_components([kind], ref_template=REF)
    kinds = [part for part in schema.pop("anyOf", ()) if part != {"type": "null"}]
    if kinds:
        (only,) = kinds
        schema |= only
    if "$ref" in schema:
        named = components[schema.pop("$ref").rpartition("/")[2]]
        schema = {"enum": named["enum"]} | schema
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]
    return schema


def name_types(schema: Any) -> None:  # noqa: ANN401 - any JSON
    """Give each enumeration its type, which msgspec leaves out."""
    if isinstance(schema, dict):
        values = schema.get("enum")
        if isinstance(values, list) and "type" not in schema and "anyOf" not in schema:
            names = {str: "string", type(None): "null"}
            kinds = [names[kind] for kind in dict.fromkeys(map(type, values))]
            schema["type"] = kinds[0] if len(kinds) == 1 else kinds
        for inner in schema.values():
            name_types(inner)
    elif isinstance(schema, list):
        for inner in schema:
            name_types(inner)
