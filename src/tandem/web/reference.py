"""The OpenAPI document turned into what the reference page shows."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from markupsafe import Markup, escape

from tandem.api.problems import MEDIA_TYPE

_CODE: Final = re.compile("`([^`]*)`")
_KEYS: Final = {
    "merchantKey": "A merchant's key",
    "deviceKey": "A person's key",
    "operatorKey": "The operator's key",
}
_REF: Final = "#/components/schemas/"


def reference_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The OpenAPI document as the reference page shows it: operations by tag, schemas by name."""
    groups: dict[str, dict[str, Any]] = {
        tag["name"]: {"name": tag["name"], "text": tag.get("description", ""), "operations": []}
        for tag in document["tags"]
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]]["operations"].append(_shown(method, path, operation))
    schemas = [
        {"name": name, "text": schema.get("description", ""), "fields": _fields(schema)}
        for name, schema in document["components"]["schemas"].items()
    ]
    return {"info": document["info"], "groups": list(groups.values()), "schemas": schemas}


def _shown(method: str, path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    responses: Mapping[str, Any] = operation["responses"]
    problems = {
        status: list(response["content"][MEDIA_TYPE]["examples"])
        for status, response in responses.items()
        if MEDIA_TYPE in response.get("content", {})
    }
    answers = [
        {"status": status, **_content(response.get("content", {}))}
        for status, response in responses.items()
        if status not in problems
    ]
    body: Mapping[str, Any] | None = operation.get("requestBody")
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "text": operation["description"],
        "key_names": [
            " with ".join((_KEYS[name], *scopes))
            for scheme in operation["security"]
            for name, scopes in scheme.items()
        ],
        "parameters": operation.get("parameters", []),
        "body": None if body is None else _content(body["content"]),
        "answers": answers,
        "refused": [{"status": status, "codes": codes} for status, codes in problems.items()],
    }


def _content(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a body is: its media type, its schema's name and an example."""
    for kind, media in content.items():
        given = media.get("example")
        shown = None if given is None else pretty(given)
        return {"kind": kind, "schema": _schema_name(media["schema"]), "example": shown}
    return {"kind": None, "schema": None, "example": None}


def _fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "kind": _kind(field),
            "required": name in required,
            "text": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema's type in a few words."""
    if "$ref" in schema:
        return _schema_name(schema) or ""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(part) for part in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "string" and "format" in schema:
        return str(schema["format"])
    return kind


def _schema_name(schema: Mapping[str, Any]) -> str | None:
    ref = schema.get("$ref")
    return None if ref is None else str(ref).removeprefix(_REF)


def pretty(value: object) -> str:
    """A value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def prose(text: str) -> Markup:
    """A docstring as HTML: a paragraph for each of its own, and `code` set as code."""
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    shown = (_CODE.sub(r"<code>\1</code>", str(escape(part))) for part in paragraphs)
    return Markup("".join(f"<p>{part}</p>" for part in shown))  # noqa: S704 - escaped just above
