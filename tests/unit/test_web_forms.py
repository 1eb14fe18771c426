"""A text of a certain form is judged to its very end, in every body of the API."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, inspect

from tandem.api.errors import InvalidBody
from tandem.api.operation import Body
from tandem.app import operations
from tandem.settings import read_settings
from tandem.web.reading import decode_body

Digits = Annotated[str, Meta(pattern="^[0-9]{2,4}$")]


class Part(Body, frozen=True):
    """What a body may have in it."""

    code: Digits


class Whole(Body, frozen=True):
    """A body with texts of a form wherever one can stand, and one without."""

    code: Digits = "12"
    maybe: Digits | None = None
    part: Part | None = None
    several: tuple[Digits, ...] = ()
    named: dict[str, Digits] | None = None
    note: str = ""


DECODER = msgspec.json.Decoder(Whole)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"code": "17\n"}, "/code"),
        ({"maybe": "17\n"}, "/maybe"),
        ({"part": {"code": "17\n"}}, "/part/code"),
        ({"several": ["17", "18\n"]}, "/several/1"),
        ({"named": {"a": "17\n"}}, "/named/a"),
    ],
)
def test_a_line_break_after_a_form_is_refused(body: dict[str, Any], pointer: str) -> None:
    for raw in (msgspec.json.encode(body), msgspec.json.encode(body).replace(b"\\n", b"\\u000a")):
        with pytest.raises(InvalidBody) as refused:
            decode_body(DECODER, raw)
        assert refused.value.pointer == pointer
        assert "line break" in refused.value.sentence()


def test_what_has_no_form_may_end_with_a_line_break() -> None:
    body = decode_body(DECODER, b'{"note":"two\\nlines\\n","code":"17"}')
    assert body == Whole(note="two\nlines\n", code="17")


def patterns(kind: inspect.Type) -> Iterator[str]:
    """The forms of texts anywhere in a type."""
    if isinstance(kind, inspect.StrType) and kind.pattern is not None:
        yield kind.pattern
    elif isinstance(kind, inspect.Metadata):
        yield from patterns(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from patterns(one)
    elif isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield from patterns(field.type)
    elif isinstance(kind, inspect.CollectionType):
        yield from patterns(kind.item_type)
    elif isinstance(kind, inspect.DictType):
        yield from patterns(kind.key_type)
        yield from patterns(kind.value_type)


def test_every_form_of_a_body_ends_where_the_text_does() -> None:
    bodies = {o.body_type for o in operations(read_settings({})) if o.body_type is not None}
    found = {p for body in bodies for p in patterns(inspect.type_info(body))}
    assert len(found) > 10, "the bodies have forms"
    assert all(p.startswith("^") and p.endswith("$") for p in found), "else a part of it suffices"
