"""The OpenAPI document turned into what the reference page shows."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from markupsafe import Markup, escape

from tandem.api.problems import MEDIA_TYPE

_CODE: Final = re.compile("`([^`]*)`")
_KEYS: Final = {
    "merchantKey": "A merchant's key or session",
    "deviceKey": "A person's key or session",
    "operatorKey": "The operator's key or session",
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
    events = [
        {"name": name, "text": hook["post"]["summary"], "schema": _data_of(hook["post"])}
        for name, hook in document.get("webhooks", {}).items()
    ]
    schemas = [
        {"name": name, "text": schema.get("description", ""), "fields": _fields(schema)}
        for name, schema in document["components"]["schemas"].items()
    ]
    return {
        "info": document["info"],
        "groups": list(groups.values()),
        "events": events,
        "schemas": schemas,
    }


def _data_of(webhook: Mapping[str, Any]) -> str | None:
    """The schema of what a webhook tells."""
    body: Mapping[str, Any] = webhook["requestBody"]["content"]["application/json"]["schema"]
    return _schema_name(body["properties"]["data"])


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
            if name in _KEYS  # a session's cookie is let in wherever the key is
        ],
        "parameters": [_parameter(one) for one in operation.get("parameters", [])],
        "body": None if body is None else _content(body["content"]),
        "answers": answers,
        "refused": [{"status": status, "codes": codes} for status, codes in problems.items()],
    }


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter: what it is called, where it goes, and all that is asked of it."""
    schema: Mapping[str, Any] = parameter["schema"]
    return {
        "name": parameter["name"],
        "where": parameter["in"],
        "required": parameter["required"],
        "kind": _kind(schema),
        "default": schema.get("default"),
        "text": parameter.get("description", ""),
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
    if "enum" in schema or "const" in schema:
        return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "string" and "format" in schema:
        return str(schema["format"])
    return kind + _range(schema)


def _range(schema: Mapping[str, Any]) -> str:
    """From where to where a number, or the length of a text, may go."""
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
    ):
        low, high = schema.get(least), schema.get(most)
        if high is not None:
            return f", up to {high}{unit}" if low is None else f", {low} to {high}{unit}"
        if low is not None:
            return f", from {low}{unit}"
    return ""


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
