"""Framing: messages on a stream, in whatever parts it comes and however it lies."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.acquiring import Deframer, Frame, FrameBroken, Wire, put_frame
from tandem.acquiring.framing import answer_header, first_header

WIRES = st.builds(
    Wire,
    length=st.sampled_from(["binary", "bcd", "ascii"]),
    length_counts_itself=st.booleans(),
    header=st.sampled_from(["none", "tpdu", "iso"]),
)


def divide(wire: Wire, *parts: bytes, limit: int = 9999) -> list[Frame]:
    deframer = Deframer(wire, limit)
    found: list[Frame] = []
    for part in parts:
        deframer.feed(part)
        found += iter(deframer.next, None)
    return found


@pytest.mark.parametrize(
    ("settings", "frame", "written"),
    [
        ({}, Frame(b"", b"A" * 16), b"\x00\x10" + b"A" * 16),
        ({"length_counts_itself": True}, Frame(b"", b"A" * 16), b"\x00\x12" + b"A" * 16),
        ({"length": "bcd"}, Frame(b"", b"A" * 123), b"\x01\x23" + b"A" * 123),
        ({"length": "ascii"}, Frame(b"", b"A" * 123), b"0123" + b"A" * 123),
        (
            {"length": "ascii", "length_counts_itself": True},
            Frame(b"", b"A" * 123),
            b"0127" + b"A" * 123,
        ),
        (
            {"header": "tpdu"},
            Frame(b"\x60\x00\x03\x00\x01", b"0800"),
            b"\x00\x09\x60\x00\x03\x00\x010800",
        ),
        ({"header": "iso"}, Frame(b"ISO026000050", b"0800"), b"\x00\x10ISO0260000500800"),
    ],
)
def test_each_form_of_length_and_header(
    settings: dict[str, Any], frame: Frame, written: bytes
) -> None:
    wire = Wire(**settings)
    assert put_frame(wire, frame) == written
    assert divide(wire, written) == [frame]


@given(WIRES, st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.data())
def test_messages_are_divided_however_the_stream_is_cut(
    wire: Wire, bodies: list[bytes], data: st.DataObject
) -> None:
    header = first_header(wire)
    stream = b"".join(put_frame(wire, Frame(header, body)) for body in bodies)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)) | {0, len(stream)})
    parts = [stream[start:end] for start, end in pairwise(cuts)]
    assert divide(wire, *parts) == [Frame(header, body) for body in bodies]


@given(WIRES, st.lists(st.binary(max_size=60), max_size=8))
def test_any_stream_is_divided_or_refused(wire: Wire, parts: list[bytes]) -> None:
    try:
        found = divide(wire, *parts, limit=100)
    except FrameBroken:
        return
    assert all(len(frame.header) + len(frame.body) <= 100 for frame in found)


@pytest.mark.parametrize(
    ("settings", "stream", "reason"),
    [
        ({}, b"\xff\xff", "longer than 100"),
        ({"length": "bcd"}, b"\x01\x01", "longer than 100"),
        ({"length": "bcd"}, b"\x0a\x01", "not decimal"),
        ({"length": "ascii"}, b"0x10", "not decimal"),
        ({"length": "ascii"}, b"+010", "not decimal"),
        ({"length": "ascii"}, b" 010", "not decimal"),
        ({"length_counts_itself": True}, b"\x00\x01", "less than its own"),
        ({"length": "ascii", "length_counts_itself": True}, b"0000", "less than its own"),
        ({"header": "tpdu"}, b"\x00\x04\x60\x00\x00\x00", "no header"),
        ({"header": "tpdu"}, b"\x00\x06\x61\x00\x00\x00\x000", "begin with 60"),
        ({"header": "iso"}, b"\x00\x0dISX0260000500", "not ISO"),
        ({"header": "iso"}, b"\x00\x0dISO026000\x00500", "not ISO"),
    ],
)
def test_a_length_or_header_that_cannot_be_ends_it(
    settings: dict[str, Any], stream: bytes, reason: str
) -> None:
    with pytest.raises(FrameBroken, match=reason):
        divide(Wire(**settings), stream, limit=100)


def test_a_length_of_zero_keeps_alive_and_is_no_message() -> None:
    assert divide(Wire(), b"\x00\x00\x00\x00\x00\x010\x00\x00") == [Frame(b"", b"0")]
    counted = Wire(length="ascii", length_counts_itself=True)
    assert divide(counted, b"0004" * 10_000) == []


def test_half_a_message_is_known_to_stand_there() -> None:
    deframer = Deframer(Wire(), 100)
    deframer.feed(b"\x00\x03ab")
    assert deframer.next() is None
    assert deframer.waiting == 4
    deframer.feed(b"c")
    assert deframer.next() == Frame(b"", b"abc")
    assert deframer.waiting == 0


@pytest.mark.parametrize(
    ("length", "size"), [("binary", 65_536), ("bcd", 10_000), ("ascii", 10_000)]
)
def test_what_a_length_cannot_say_is_not_written(length: str, size: int) -> None:
    wire = Wire(length=length)  # type: ignore[arg-type]  # one of the three
    assert len(put_frame(wire, Frame(b"", b"0" * (size - 1)))) > size
    with pytest.raises(FrameBroken):
        put_frame(wire, Frame(b"", b"0" * size))


def test_an_answer_goes_back_to_where_its_tpdu_came_from() -> None:
    wire = Wire(header="tpdu")
    assert answer_header(wire, b"\x60\x00\x03\x00\x01") == b"\x60\x00\x01\x00\x03"
    assert answer_header(Wire(header="iso"), b"ISO026000050") == b"ISO026000050"
    assert answer_header(Wire(), b"") == b""
