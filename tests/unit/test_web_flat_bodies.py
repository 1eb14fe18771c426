"""Bodies without objects in them are checked for members that are there twice by a shorter way."""

from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from tandem.api.operation import Body
from tandem.kernel import Refused
from tandem.web.reading import decode_body, flat_names


class Flat(Body, frozen=True):
    """What most bodies are like."""

    code: Annotated[str, Meta(max_length=9)] = ""
    amount: Annotated[int, Meta(ge=0)] | None = None
    kind: Literal["code", "amount"] | None = None


class Nested(Body, frozen=True):
    """A body with a list of values, in which a name may stand again."""

    names: list[str]


class Deep(Body, frozen=True):
    """A body with an object in it."""

    inner: Flat | None = None


FLAT = msgspec.json.Decoder(Flat)
NAMES = flat_names(Flat)


def test_only_flat_bodies_have_names() -> None:
    assert NAMES == (b'"code"', b'"amount"', b'"kind"')
    assert flat_names(Nested) is None
    assert flat_names(Deep) is None


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
