"""Texts of a certain form, to their very end.

msgspec judges a pattern by Python's `re.search`, whose `$` fits before a line break at the end of
a text, too; in JSON Schema (ECMA-262) it fits at the end alone. What the document promises holds:
`17` is a receipt's number, and `17` with a line break is none.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import inspect

from tandem.api.errors import InvalidBody
from tandem.kernel import Rule

_type_of = cache(inspect.type_info)


def refuse_line_ends(kind: object, value: object) -> None:
    """Raise `InvalidBody` for a text of a form that goes on with a line break.

    `value` was decoded as `kind`.
    """
    _look(_type_of(kind), value, "", "")


def _look(kind: inspect.Type, value: object, field: str, pointer: str) -> None:
    if isinstance(kind, inspect.StrType):
        if kind.pattern is not None and isinstance(value, str) and value.endswith("\n"):
            reason = "must not end with a line break"
            raise InvalidBody(field.removeprefix("."), reason, pointer, rule=Rule("form"))
        return
    for inner, part, name, step in _parts(kind, value):
        _look(inner, part, field + name, pointer + step)


def _parts(kind: inspect.Type, value: Any) -> Iterator[tuple[inspect.Type, object, str, str]]:  # noqa: ANN401 - of any type
    """What a value of this type is made of: its types, values, names and pointers."""
    if isinstance(kind, inspect.Metadata):
        yield kind.type, value, "", ""
    elif isinstance(kind, inspect.UnionType):
        yield from ((one, value, "", "") for one in kind.types)
    elif isinstance(kind, inspect.StructType) and isinstance(value, kind.cls):
        for field in kind.fields:
            name = field.encode_name
            yield field.type, getattr(value, field.name), f".{name}", f"/{name}"
    elif isinstance(kind, inspect.CollectionType) and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield kind.item_type, item, f"[{index}]", f"/{index}"
    elif isinstance(kind, inspect.DictType) and isinstance(value, dict):
        for name, item in value.items():
            yield kind.key_type, name, "", ""
            yield kind.value_type, item, f".{name}", f"/{name}"
