"""BER-TLV: what is read is written back byte for byte, and what lies is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.emv import tlv
from tandem.emv.errors import TlvMalformed, TooLong
from tandem.emv.tlv import Limits, Tlv, constructed, first, primitive, read, read_one, write

# A record with card number, expiry and sequence number.
RECORD = bytes.fromhex("70145A0847617390010100105F24032212315F340101")


def test_a_record_is_read_and_written_back() -> None:
    record = read_one(RECORD)
    assert (record.tag, record.constructed) == (0x70, True)
    assert [child.tag for child in record.children] == [0x5A, 0x5F24, 0x5F34]
    assert record.children[0].value.hex() == "4761739001010010"
    assert record.raw == RECORD
    assert write([record]) == RECORD


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "5000"),
        (1, "5001"),
        (127, "507F"),
        (128, "508180"),
        (255, "5081FF"),
        (256, "50820100"),
        (0xFFFF, "5082FFFF"),
    ],
)
def test_lengths_are_written_as_short_as_they_can_be(length: int, header: str) -> None:
    entry = primitive(0x50, bytes(length))
    assert entry.raw == bytes.fromhex(header) + bytes(length)
    assert read_one(entry.raw, Limits(size=len(entry.raw))) == entry


def test_a_length_that_is_longer_than_need_be_stays_as_it_stands() -> None:
    entry = read_one(bytes.fromhex("9F2782000180"))
    assert entry.value == b"\x80"
    assert entry.raw.hex() == "9f2782000180"
    assert constructed(0x77, entry).value.hex() == "9f2782000180"


@pytest.mark.parametrize(
    "data", ["00005001410000", "6F0600005001410000", "0000", "", "70030000005A00"]
)
def test_zeros_between_data_objects_mean_nothing(data: str) -> None:
    found = read(bytes.fromhex(data))
    assert all(entry.tag for entry in found)
    assert read(write(found)) == found


@pytest.mark.parametrize(
    ("data", "at", "reason"),
    [
        ("50", 1, "a tag without a length"),
        ("9F", 0, "no tag"),
        ("9F80", 0, "no tag"),
        ("9F8001", 0, "no tag"),
        ("9F818181", 0, "no tag"),
        ("DFFFFFFF01", 0, "no tag"),
        ("5002FF", 2, "a length of 2 where 1 bytes follow"),
        ("5080FF", 1, "a length that is not of one to three bytes"),
        ("5083000001FF", 1, "a length that is not of one to three bytes"),
        ("5081", 1, "a length that is not of one to three bytes"),
        ("50820000FF", 4, "no tag|a tag without"),
        ("5082FFFF00", 4, "a length of 65535 where 1 bytes follow"),
        ("7003500241", 4, "a length of 2 where 1 bytes follow"),
        ("6F055002414200FF", 7, "a tag without a length|no tag"),
        ("70024F", 2, "a length of 2 where 1 bytes follow"),
    ],
)
def test_what_lies_is_refused_where_it_shows(data: str, at: int, reason: str) -> None:
    with pytest.raises(TlvMalformed, match=reason) as refused:
        read(bytes.fromhex(data))
    assert refused.value.at == at
    assert refused.value.sentence().startswith("This is no BER-TLV: ")


def nested(levels: int) -> Tlv:
    entry = primitive(0x50, b"x")
    for _ in range(levels - 1):
        entry = constructed(0x70, entry)
    return entry


def test_there_is_a_limit_to_depth_number_and_size() -> None:
    assert read_one(nested(8).raw) == nested(8)
    with pytest.raises(TlvMalformed, match="deeper than 8 levels"):
        read(nested(9).raw)
    assert len(read(b"\x50\x00" * 1024)) == 1024
    with pytest.raises(TlvMalformed, match="more than 1024 data objects"):
        read(b"\x50\x00" * 1025)
    with pytest.raises(TlvMalformed, match="more than 65535 bytes"):
        read(bytes(0x10000))
    with pytest.raises(TlvMalformed, match="more than 3 bytes"):
        read(bytes(4), Limits(size=3))


@pytest.mark.parametrize("data", ["", "0000", "50005000"])
def test_one_data_object_is_one(data: str) -> None:
    with pytest.raises(TlvMalformed, match="instead of one"):
        read_one(bytes.fromhex(data))


def test_a_data_object_is_found_by_its_path() -> None:
    entry = constructed(
        0x6F,
        primitive(0x84, b"one"),
        constructed(0xA5, primitive(0x50, b"empty")),
        constructed(0xA5, constructed(0xBF0C, primitive(0x4F, b"two"))),
    )
    found = entry.first(0xA5, 0xBF0C, 0x4F)
    assert found is not None
    assert found.value == b"two"
    assert first([entry], 0x6F, 0x84) == entry.first(0x84)
    assert entry.first(0x4F) is None
    assert entry.first(0x84, 0x50) is None


@pytest.mark.parametrize("tag", [0, -1, 0x9F, 0x5F8001, 0x9F8180, 0x9F818181, 0x5000, 0x9F801000])
def test_what_is_no_tag_cannot_be_written(tag: int) -> None:
    with pytest.raises(ValueError, match="is not one tag"):
        primitive(tag, b"")


def test_a_tag_says_whether_its_value_is_made_of_data_objects() -> None:
    with pytest.raises(ValueError, match="70 is the tag of a constructed"):
        primitive(0x70, b"")
    with pytest.raises(ValueError, match="50 is the tag of a primitive"):
        constructed(0x50)
    assert tlv.is_constructed(0xBF0C)
    assert not tlv.is_constructed(0xDF8101)


def test_a_value_beyond_what_a_length_can_say_cannot_be_written() -> None:
    with pytest.raises(TooLong, match="takes 65536 bytes, and at most 65535 fit"):
        primitive(0x50, bytes(0x10000))


def test_a_value_does_not_get_into_logs() -> None:
    shown = repr(read_one(RECORD))
    assert "4761" not in shown
    assert "Ga" not in shown


def tags(*, constructed: bool) -> st.SearchStrategy[int]:
    bit = 0x20 if constructed else 0
    first_bytes = st.integers(0, 255).map(lambda byte: byte & ~0x20 | bit)
    one = first_bytes.filter(lambda byte: byte & 0x1F != 0x1F and byte)
    two = st.builds(lambda byte, last: (byte | 0x1F) << 8 | last, first_bytes, st.integers(0, 0x7F))
    three = st.builds(
        lambda byte, middle, last: (byte | 0x1F) << 16 | middle << 8 | last,
        first_bytes,
        st.integers(0x81, 0xFF),
        st.integers(0, 0x7F),
    )
    return one | two | three


primitives = st.builds(primitive, tags(constructed=False), st.binary(max_size=300))
trees = st.recursive(
    primitives,
    lambda below: st.builds(
        lambda tag, children: constructed(tag, *children),
        tags(constructed=True),
        st.lists(below, max_size=4),
    ),
    max_leaves=12,
)


def depth(entry: Tlv) -> int:
    return 1 + max((depth(child) for child in entry.children), default=0)


@given(st.lists(trees.filter(lambda entry: depth(entry) <= 8), max_size=6))
def test_any_data_objects_are_read_back_equal(entries: list[Tlv]) -> None:
    assert read(write(entries)) == tuple(entries)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = read(data)
    except TlvMalformed:
        return
    assert read(write(found)) == found
    assert len(write(found)) <= len(data)
    if not any(entry == 0 for entry in data):
        assert write(found) == data


@given(st.lists(trees.filter(lambda entry: depth(entry) <= 8), min_size=1, max_size=3), st.data())
def test_damage_anywhere_is_read_or_refused(entries: list[Tlv], data: st.DataObject) -> None:
    whole = write(entries)
    at = data.draw(st.integers(0, len(whole)))
    put = data.draw(st.binary(max_size=3))
    try:
        read(whole[:at] + put + whole[at + len(put) :])
    except TlvMalformed:
        return
