"""Data object lists: read, filled by the rules of Book 3, 5.4, and taken apart again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.emv.dol import MAX_VALUES, Dol, fitted, read_tags
from tandem.emv.errors import DolMalformed
from tandem.emv.tags import DICTIONARY, Format, Tag, fits, format_of, name_of
from tandem.emv.tlv import is_constructed, tag_bytes

PDOL = bytes.fromhex("9F66049F02069F03069F1A0295055F2A029A039C019F3704")


def test_a_list_is_read_and_written_back() -> None:
    dol = Dol.read(PDOL)
    assert dol.entries[0] == (Tag.TTQ, 4)
    assert dol.length == 33
    assert dol.write() == PDOL
    assert dol.asks_for(Tag.TVR)
    assert not dol.asks_for(Tag.PAN)
    assert Dol.of((Tag.TTQ, 4), (0xDF8101, 2)).write().hex() == "9f6604df810102"


def test_values_are_filled_in_the_order_of_the_list() -> None:
    values: dict[int, bytes] = {
        Tag.TTQ: bytes.fromhex("36004000"),
        Tag.AMOUNT: bytes.fromhex("000000003800"),
        Tag.UNPREDICTABLE_NUMBER: bytes.fromhex("01020304"),
    }
    dol = Dol.of((Tag.UNPREDICTABLE_NUMBER, 4), (Tag.AMOUNT, 6), (Tag.TTQ, 4), (Tag.TVR, 5))
    filled = dol.fill(values)
    assert filled.hex() == "01020304" + "000000003800" + "36004000" + "0000000000"
    assert dol.split(filled) == values | {Tag.TVR: bytes(5)}


@pytest.mark.parametrize(
    ("tag", "value", "length", "filled"),
    [
        (Tag.AMOUNT, "000000123456", 4, "00123456"),  # n: the left goes
        (Tag.AMOUNT, "123456", 6, "000000123456"),  # n: zeros on the left
        (Tag.TRANSACTION_DATE, "260731", 2, "0731"),
        (Tag.PAN, "4761739001010010", 10, "4761739001010010ffff"),  # cn: F on the right
        (Tag.PAN, "4761739001010010", 4, "47617390"),  # cn: the right goes
        (Tag.TTQ, "36004000", 2, "3600"),  # b: the right goes
        (Tag.TTQ, "36004000", 6, "360040000000"),  # b: zeros on the right
        (Tag.MERCHANT_NAME, "4e6f6f646c6573", 10, "4e6f6f646c6573000000"),  # ans: the same
        (Tag.MERCHANT_NAME, "4e6f6f646c6573", 3, "4e6f6f"),
        (0xDF7F, "0102", 4, "01020000"),  # not known: as binary
        (0x70, "5001", 4, "00000000"),  # a template is never filled in
        (Tag.AMOUNT, "", 6, "000000000000"),  # not there
        (Tag.AMOUNT, "123456", 0, ""),
        (Tag.TTQ, "36004000", 0, ""),
    ],
)
def test_a_value_is_brought_to_the_length_asked_for(
    tag: int, value: str, length: int, filled: str
) -> None:
    assert fitted(tag, bytes.fromhex(value), length).hex() == filled


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("9F02", "a tag without a length"),
        ("9F", "no tag"),
        ("0004", "no tag"),
        ("9F0206" * 43, "its values take 258 bytes, over 252"),
        ("9F02FF", "its values take 255 bytes, over 252"),
        ("9F0200" * 85, "more than 252 bytes"),
    ],
)
def test_what_is_no_list_is_refused(data: str, reason: str) -> None:
    with pytest.raises(DolMalformed, match=reason):
        Dol.read(bytes.fromhex(data))


def test_a_list_of_tags_has_no_lengths() -> None:
    assert read_tags(bytes.fromhex("829F10DF8101")) == (0x82, 0x9F10, 0xDF8101)
    assert read_tags(b"") == ()
    with pytest.raises(DolMalformed):
        read_tags(bytes.fromhex("829F"))


@pytest.mark.parametrize("size", [0, 32, 34])
def test_values_that_do_not_fit_the_list_are_refused(size: int) -> None:
    with pytest.raises(DolMalformed, match=f"{size} bytes of values instead of 33"):
        Dol.read(PDOL).split(bytes(size))


def test_the_dictionary_holds_together() -> None:
    assert len({entry.name for entry in DICTIONARY.values()}) == len(DICTIONARY)
    assert all(tag in DICTIONARY for tag in Tag)
    for entry in DICTIONARY.values():
        assert tag_bytes(entry.tag)
        assert entry.shortest <= entry.longest
        assert all(is_constructed(tag) or tag == 0x80 for tag in entry.templates)
    assert name_of(0xDF8101) == "Unknown"
    assert format_of(0xDF8101) is Format.B


@pytest.mark.parametrize(
    ("tag", "value", "good"),
    [
        (Tag.AMOUNT, "000000003800", True),
        (Tag.AMOUNT, "0000003800", False),
        (Tag.AMOUNT, "00000000380A", False),
        (Tag.PAN, "4761739001010010", True),
        (Tag.PAN, "476173900101001F", True),
        (Tag.PAN, "47617390010100FA", False),
        (Tag.PAN, "", False),
        (Tag.AIP, "1980", True),
        (Tag.AIP, "19", False),
        (Tag.AFL, "", True),
        (0xDF7F, "", True),
    ],
)
def test_the_dictionary_says_whether_a_value_can_be(tag: int, value: str, *, good: bool) -> None:
    assert fits(tag, bytes.fromhex(value)) is good


asked = st.lists(
    st.tuples(st.sampled_from(sorted(DICTIONARY)) | st.just(0xDF8101), st.integers(0, 40)),
    max_size=12,
    unique_by=lambda entry: entry[0],
).filter(lambda entries: sum(length for _, length in entries) <= MAX_VALUES)


@given(asked)
def test_any_list_is_read_back_equal(entries: list[tuple[int, int]]) -> None:
    dol = Dol.of(*entries)
    assert Dol.read(dol.write()) == dol


@given(asked, st.dictionaries(st.sampled_from(sorted(DICTIONARY)), st.binary(max_size=60)))
def test_what_is_filled_in_has_the_lengths_asked_for_and_stays_so(
    entries: list[tuple[int, int]], values: dict[int, bytes]
) -> None:
    dol = Dol.of(*entries)
    filled = dol.fill(values)
    assert len(filled) == dol.length
    again = dol.split(filled)
    assert {tag: len(value) for tag, value in again.items()} == dict(entries)
    assert dol.fill(again) == filled


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    try:
        dol = Dol.read(data)
    except DolMalformed:
        return
    assert dol.write() == data
    assert len(dol.fill({})) == dol.length
