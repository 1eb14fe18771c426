"""Bodies that are one object are checked for members that are there twice by a shorter way."""

from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from tandem.api.errors import Malformed
from tandem.api.operation import Body
from tandem.kernel import Refused
from tandem.web.reading import decode_body, member_names


class Flat(Body, frozen=True):
    """What most bodies are like."""

    code: Annotated[str, Meta(max_length=9)] = ""
    amount: Annotated[int, Meta(ge=0)] | None = None
    kind: Literal["code", "amount"] | None = None


class Deep(Body, frozen=True):
    """A body that may have an object in it."""

    inner: Flat | None = None
    names: tuple[str, ...] = ()
    code: str = ""


FLAT = msgspec.json.Decoder(Flat)
NAMES = member_names(Flat)
DEEP = msgspec.json.Decoder(Deep)


def test_the_names_are_those_that_json_has() -> None:
    assert NAMES == (b'"code"', b'"amount"', b'"kind"')


@pytest.mark.parametrize(
    ("raw", "twice"),
    [
        (b'{"code":"x"}', False),
        (b'{"names":["code","code"],"code":"x"}', False),
        (b'{"inner":{"code":"x"},"code":"x"}', False),
        (b'{"inner":{"code":"x","code":"y"}}', True),
        (b'{"inner":{"amount":1,"amount":2},"code":"{"}', True),
        (b'{"inner":{},"inner":null}', True),
        (b'{"code":"{","code":"x"}', True),
        (b'{"inner":null,"inner":null}', True),
    ],
)
def test_a_body_with_objects_in_it_is_looked_at_closely(raw: bytes, *, twice: bool) -> None:
    for names in (None, member_names(Deep)):
        if twice:
            with pytest.raises(Malformed, match="twice"):
                decode_body(DEEP, raw, names)
        else:
            decode_body(DEEP, raw, names)


def spelt(name: str) -> st.SearchStrategy[str]:
    """A name as JSON may write it."""
    return st.sampled_from([f'"{name}"', f'"\\u{ord(name[0]):04x}{name[1:]}"', f'"{name}" '])


MEMBERS = st.lists(
    st.one_of(
        st.tuples(spelt("code"), st.sampled_from(['"x"', '"code"', '"\\"amount\\""', '"林"'])),
        st.tuples(spelt("amount"), st.sampled_from(["1", "null", " 7 "])),
        st.tuples(spelt("kind"), st.sampled_from(['"code"', "null", '"amount"'])),
    ),
    max_size=5,
)


@given(MEMBERS)
def test_the_shorter_way_comes_to_the_same(members: list[tuple[str, str]]) -> None:
    raw = ("{" + ",".join(f"{name}:{value}" for name, value in members) + "}").encode()
    outcomes = []
    for names in (None, NAMES):
        try:
            outcomes.append(repr(decode_body(FLAT, raw, names)))
        except Refused as refused:
            outcomes.append(refused.sentence())
    assert outcomes[0] == outcomes[1]
    written = [msgspec.json.decode(name.strip()) for name, _ in members]
    assert ("twice" in outcomes[0]) == (len(set(written)) < len(written))


@pytest.mark.parametrize("raw", [b'{"code":"\xff"}', b'{"c\xffde":"x"}', b'{"code":"x"}\xff'])
def test_what_is_not_utf_8_is_refused(raw: bytes) -> None:
    for names in (None, NAMES):
        with pytest.raises(Refused):
            decode_body(FLAT, raw, names)
