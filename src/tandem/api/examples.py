"""Examples of types: made by hand, or put together from the examples that their fields carry."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import inspect

from tandem.api.samples import SAMPLES


def example(kind: Any) -> Any:  # noqa: ANN401 - any type to any JSON
    """An example of a type: the fields' own examples, and defaults where there are none."""
    return _example(inspect.type_info(kind))


_NOTHING: Final = object()
_SIMPLE: Final[Mapping[type[inspect.Type], Any]] = {
    inspect.BoolType: True,
    inspect.FloatType: 0.5,
    inspect.DateTimeType: "2026-05-04T09:30:00Z",
    inspect.DateType: "2026-05-04",
    inspect.NoneType: None,
    inspect.AnyType: {},
    inspect.RawType: {},
}


def _example(kind: inspect.Type) -> Any:  # noqa: ANN401 - as above
    given = _given(kind)
    if given is not _NOTHING:
        return given
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.StructType):
        made = SAMPLES.get(kind.cls)
        return made or {field.encode_name: _example(field.type) for field in _shown(kind)}
    if isinstance(kind, inspect.UnionType):
        return None if kind.includes_none else _example(kind.types[0])
    if isinstance(kind, (inspect.CollectionType, inspect.ListType, inspect.VarTupleType)):
        return [_example(kind.item_type)]
    if isinstance(kind, inspect.DictType):
        return {_example(kind.key_type): _example(kind.value_type)}
    return _plain(kind)


def _plain(kind: inspect.Type) -> Any:  # noqa: ANN401 - as above
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.EnumType):
        return next(iter(kind.cls)).value
    if isinstance(kind, inspect.IntType):
        return 1 if kind.ge is None else max(1, kind.ge)
    assert not isinstance(kind, inspect.StrType), "give a text an example: none says nothing"
    return _SIMPLE[type(kind)]


def _given(kind: inspect.Type) -> Any:  # noqa: ANN401 - as above
    """An example that somebody wrote: here, or in a part of a union."""
    if isinstance(kind, inspect.Metadata):
        examples = (kind.extra_json_schema or {}).get("examples")
        return examples[0] if examples else _given(kind.type)
    if isinstance(kind, inspect.UnionType):
        for part in kind.types:
            if isinstance(part, inspect.StructType):
                return _example(part)
            given = _given(part)
            if given is not _NOTHING:
                return given
    return _NOTHING


def _shown(kind: inspect.StructType) -> Iterable[inspect.Field]:
    """An answer shows every field; a request those that must be there, and those with examples."""
    for field in kind.fields:
        wanted = not kind.forbid_unknown_fields or field.required
        if wanted or _given(field.type) is not _NOTHING:
            yield field
