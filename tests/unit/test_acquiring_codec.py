"""The message layer: every setting of a link, and what hostile bytes come to."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iso8583_oracle import their_bytes, their_reading
from tandem.acquiring.codec import Codec
from tandem.acquiring.elements import ELEMENTS, De, Form, Kind, read_form
from tandem.acquiring.errors import MessageMalformed
from tandem.acquiring.message import Message, mti_name, response_mti
from tandem.acquiring.wire import Wire
from tandem.kernel import Invalid

ASCII = Codec(Wire(bitmap="hex", binary="hex", icc="hex"))
PACKED = Codec(Wire(numeric="bcd", prefixes="bcd", track2="bcd"))
EBCDIC = Codec(Wire(text="cp500", prefixes="text"))
PURCHASE = Message(
    "0200",
    {
        De.PAN: "4761739001010010",
        De.PROCESSING_CODE: "000000",
        De.AMOUNT: "000000001234",
        De.STAN: "000017",
        De.ENTRY_MODE: "071",
        De.TRACK2: "4761739001010010=2512",
        De.TERMINAL: "TERM0001",
        De.ICC: "9F2608AABBCCDDEEFF0011",
    },
)
WIRES = st.builds(
    Wire,
    text=st.sampled_from(["ascii", "cp037", "cp500"]),
    numeric=st.sampled_from(["text", "bcd"]),
    prefixes=st.sampled_from(["text", "bcd", "binary"]),
    track2=st.sampled_from(["text", "bcd"]),
    bitmap=st.sampled_from(["binary", "hex"]),
    binary=st.sampled_from(["binary", "hex"]),
    icc=st.sampled_from(["binary", "hex"]),
    pad_fixed=st.sampled_from(["left-0", "right-0", "right-f"]),
    pad_variable=st.sampled_from(["left-0", "right-0", "right-f"]),
    pad_track2=st.sampled_from(["left-0", "right-0", "right-f"]),
)
LETTERS = {
    Kind.LETTERS: string.ascii_letters + " ",
    Kind.DIGITS: string.digits,
    Kind.ALPHANUMERIC: string.ascii_letters + string.digits + " ",
    Kind.NUMERIC_SPECIAL: string.digits + string.punctuation + " ",
    Kind.PRINTABLE: string.ascii_letters + string.digits + string.punctuation + " ",
    Kind.TRACK: string.digits + "=",
}


def values(form: Form) -> st.SearchStrategy[str]:
    least = 0 if form.prefix else form.size
    if form.kind is Kind.BYTES:
        return st.binary(min_size=least, max_size=form.size).map(lambda raw: raw.hex().upper())
    if form.kind is Kind.SIGNED:
        digits = st.text(string.digits, min_size=form.size - 1, max_size=form.size - 1)
        return st.builds(str.__add__, st.sampled_from("CD"), digits)
    return (
        st.text(LETTERS[form.kind], min_size=least, max_size=min(form.size, 60))
        if least == 0
        else (st.text(LETTERS[form.kind], min_size=least, max_size=form.size))
    )


@st.composite
def messages(draw: st.DrawFn) -> Message:
    numbers = draw(st.sets(st.sampled_from(sorted(ELEMENTS)), max_size=12))
    fields = {n: draw(values(read_form(ELEMENTS[n].form))) for n in sorted(numbers)}
    return Message(draw(st.text(string.digits, min_size=4, max_size=4)), fields)


@given(WIRES, messages())
def test_whatever_is_written_is_read_back_equal_under_every_setting(
    wire: Wire, message: Message
) -> None:
    codec = Codec(wire)
    assert codec.read(codec.write(message)) == message


def test_a_message_in_ascii_is_what_the_standard_says() -> None:
    # Type, bitmap of 2 3 4 11 22 35 41 55, then the elements with decimal lengths.
    written = (
        b"02007020040020800200"
        b"164761739001010010000000000000001234000017071"
        b"214761739001010010=2512TERM00010229F2608AABBCCDDEEFF0011"
    )  # fmt: skip
    assert ASCII.write(PURCHASE) == written
    assert ASCII.read(written) == PURCHASE


def test_a_message_in_bcd_is_packed_two_digits_a_byte() -> None:
    written = bytes.fromhex(
        "0200 7020040020800200"
        "16 4761739001010010 000000 000000001234 000017 0071"
        "21 4761739001010010D2512F 5445524D30303031 0011 9F2608AABBCCDDEEFF0011"
    )
    assert PACKED.write(PURCHASE) == written
    assert PACKED.read(written) == PURCHASE


def test_a_message_in_ebcdic_has_its_letters_digits_and_lengths_so() -> None:
    written = bytes.fromhex(
        "F0F2F0F0 7020040020800200"
        "F1F6 F4F7F6F1F7F3F9F0F0F1F0F1F0F0F1F0 F0F0F0F0F0F0 F0F0F0F0F0F0F0F0F1F2F3F4"
        "F0F0F0F0F1F7 F0F7F1 F2F1 F4F7F6F1F7F3F9F0F0F1F0F1F0F0F1F0 7E F2F5F1F2"
        "E3C5D9D4F0F0F0F1 F0F1F1 9F2608AABBCCDDEEFF0011"
    )
    assert EBCDIC.write(PURCHASE) == written
    assert EBCDIC.read(written) == PURCHASE


@pytest.mark.parametrize(
    ("pad", "digits"),
    [("left-0", "0123"), ("right-0", "1230"), ("right-f", "123F")],
)
def test_an_odd_count_of_digits_is_filled_as_the_link_wants_it(pad: str, digits: str) -> None:
    wire = Wire(numeric="bcd", prefixes="bcd", pad_variable=pad)  # type: ignore[arg-type]  # one of the three
    message = Message("0100", {De.ACQUIRER: "123"})
    assert Codec(wire).write(message).hex().upper().endswith("03" + digits)
    with pytest.raises(MessageMalformed):
        Codec(wire).read(Codec(wire).write(message)[:-2] + b"\x91\x29")


@pytest.mark.parametrize(
    ("prefixes", "length"), [("text", b"016"), ("bcd", b"\x00\x16"), ("binary", b"\x00\x10")]
)
def test_lengths_of_elements_are_decimal_bcd_or_binary(prefixes: str, length: bytes) -> None:
    wire = Wire(prefixes=prefixes)  # type: ignore[arg-type]  # one of the three
    message = Message("0100", {De.ICC: "AB" * 16})
    assert Codec(wire).write(message).endswith(length + b"\xab" * 16)


def test_a_link_may_give_an_element_another_format() -> None:
    codec = Codec(Wire(elements={48: "b...500", 22: "n4"}))
    message = Message("0100", {De.ENTRY_MODE: "0710", De.PRIVATE: "00FF"})
    assert codec.read(codec.write(message)) == message


@pytest.mark.parametrize(
    "elements",
    [{1: "n4"}, {64: "b4"}, {128: "b4"}, {129: "n4"}, {48: "n"}, {48: "b..100"}, {3: "6n"}],
)
def test_formats_that_cannot_be_are_refused_with_the_settings(elements: dict[int, str]) -> None:
    with pytest.raises(ValueError, match="elements"):
        Wire(elements=elements)


@pytest.mark.parametrize("text", ["", "n", "n0", "q6", "n....6", "n..100", "ans...1000", "n6 "])
def test_what_is_no_format_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_form(text)


@pytest.mark.parametrize(
    ("body", "element"),
    [
        (b"", 0),
        (b"02", 0),
        (b"02x00000000000000000", 0),
        (b"\xb2\xb3\xb9\xb20000000000000000", 0),
        (b"020070200400208002", 1),
        (b"0200702004002080020G", 1),
        (b"020040 00 00 00000000", 1),  # fromhex would skip the blanks
        (b"0200800000000000000000000000000000", 1),
        (b"0200800000000000000080000000000000000000000000000000", 1),
        (b"0200800000000000000080000000000000008000000000000000", 1),
        (b"0200400000000000000016476173900101001", 2),
        (b"02004000000000000000204761739001010010", 2),
        (b"02004000000000000000+547617", 2),
        (b"02004000000000000000-14761", 2),
        (b"02004000000000000000 547617", 2),
        (b"020000000000000100001_04761739001", 48),
        (b"020040000000000000000547x1", 2),
        (b"0200400000000000000005476 1", 2),
        (b"0200400000000000000005\xb2\xb3\xb9\xb2\xb3", 2),
        (b"0200100000000000000000000000123A", 4),
        (b"0200100000000000000000000000123", 4),
        (b"02001000000000000000000000001234x", 4),
        (b"02000000000000000200003ABC", 55),
        (b"02000000000000000200004ABCG", 55),
        (b"02000000000000000200512" + b"AB" * 256, 55),
        (b"02000000000000800000TERM\x00\x1b01", 41),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_is_refused_with_its_element(body: bytes, element: int) -> None:
    with pytest.raises(MessageMalformed) as refused:
        ASCII.read(body)
    assert refused.value.element == element
    assert refused.value.__cause__ is None
    assert "4761" not in refused.value.sentence()


@pytest.mark.parametrize(
    ("body", "element"),
    [
        ("020A 0000000000000000", 0),
        ("0200 1000000000000000 00000000123A", 4),
        ("0200 4000000000000000 1A 47617390010100", 2),
        ("0200 4000000000000000 05 14761F", 2),
        ("0200 0000000020000000 04 47E1", 35),
        ("0200 0000000020000000 03 4A1F", 35),
        ("0200 0000000000000200 0A01 00", 55),
        ("0200 0000000000000200 0256 00", 55),
    ],
)
def test_a_packed_message_that_cannot_be_is_refused_with_its_element(
    body: str, element: int
) -> None:
    raw = body.replace(" ", "")
    with pytest.raises(MessageMalformed) as refused:
        PACKED.read(bytes.fromhex(raw[: len(raw) // 2 * 2]))
    assert refused.value.element == element


def test_what_was_read_before_the_fault_is_kept_to_answer_with() -> None:
    body = ASCII.write(PURCHASE)[:-3]
    with pytest.raises(MessageMalformed) as refused:
        ASCII.read(body)
    partial = refused.value.partial
    assert partial is not None
    assert partial.mti == "0200"
    assert partial.text(De.STAN) == "000017"
    assert partial.text(De.ICC) is None
    assert "4761" not in repr(refused.value)
    assert "partial" not in refused.value.data()


@pytest.mark.parametrize(
    ("message", "element"),
    [
        (Message("020", {}), 0),
        (Message("02\u0660\u0660", {}), 0),
        (Message("0200", {1: "00" * 8}), 1),
        (Message("0200", {65: "00" * 8}), 65),
        (Message("0200", {129: "1"}), 129),
        (Message("0200", {De.STAN: "17"}), 11),
        (Message("0200", {De.STAN: "\u0661\u0661\u0661\u0661\u0661\u0661"}), 11),
        (Message("0200", {De.PAN: "1" * 20}), 2),
        (Message("0200", {De.TERMINAL: "TÉRM0001"}), 41),
        (Message("0200", {De.ICC: "abc"}), 55),
        (Message("0200", {De.ICC: "00" * 256}), 55),
        (Message("0200", {De.MAC: "00" * 7}), 64),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_element(message: Message, element: int) -> None:
    for codec in (ASCII, PACKED, EBCDIC):
        with pytest.raises(MessageMalformed) as refused:
            codec.write(message)
        assert refused.value.element == element


def test_digits_for_which_their_length_has_no_room_cannot_be_written() -> None:
    codec = Codec(Wire(icc="hex", elements={55: "b...999"}))
    assert codec.read(codec.write(Message("0200", {De.ICC: "00" * 499}))).text(De.ICC) == "00" * 499
    with pytest.raises(MessageMalformed) as refused:
        codec.write(Message("0200", {De.ICC: "00" * 500}))
    assert refused.value.element == 55


def test_elements_that_the_host_takes_apart_keep_their_format() -> None:
    for elements in ({13: "n6"}, {4: "an12"}, {2: "ans..19"}, {55: "ans...255"}, {90: "n44"}):
        with pytest.raises(ValueError, match="elements"):
            Wire(elements=elements)


def test_hexadecimal_digits_in_small_letters_are_read_too() -> None:
    body = b"02000000000000000200004abcd"
    assert ASCII.read(body).text(De.ICC) == "ABCD"
    assert ASCII.read(b"02000000000000000200004abcd").binary(De.ICC) == b"\xab\xcd"


@given(WIRES, st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(wire: Wire, body: bytes) -> None:
    codec = Codec(wire)
    try:
        message = codec.read(body)
    except MessageMalformed:
        return
    assert codec.read(codec.write(message)) == message


@given(WIRES, messages())
def test_another_implementation_writes_the_same(wire: Wire, message: Message) -> None:
    assert Codec(wire).write(message) == their_bytes(wire, message)


@given(messages(), WIRES, st.data())
def test_another_implementation_reads_the_same(
    message: Message, wire: Wire, data: st.DataObject
) -> None:
    """Of changed bytes too, where both read them."""
    codec = Codec(wire)
    body = bytearray(codec.write(message))
    at = data.draw(st.integers(0, len(body)))
    body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        ours = codec.read(bytes(body)).fields
    except MessageMalformed:
        return
    theirs = their_reading(wire, bytes(body))
    assert theirs is not None
    assert {n: value.upper().replace("D", "=") for n, value in theirs.items()} == {
        n: value.upper().replace("D", "=") for n, value in ours.items()
    }


@given(messages(), WIRES, st.data())
def test_a_message_cut_or_changed_anywhere_is_read_or_refused(
    message: Message, wire: Wire, data: st.DataObject
) -> None:
    codec = Codec(wire)
    body = bytearray(codec.write(message))
    at = data.draw(st.integers(0, len(body)))
    body[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        changed = codec.read(bytes(body))
    except MessageMalformed:
        return
    assert codec.read(codec.write(changed)) == changed


@given(
    st.sampled_from(
        sorted({element.form for element in ELEMENTS.values()} | {"a3", "b..9", "n..7"})
    ),
    st.text("0AaFCD= -$\n\u0661", max_size=24),
)
def test_a_value_that_fits_is_one_without_a_fault(form: str, value: str) -> None:
    read = read_form(form)
    assert (read.pattern.fullmatch(value) is not None) == (read.fault(value) is None)


def test_every_element_of_1987_has_a_name_and_a_format() -> None:
    assert set(ELEMENTS) == set(range(2, 129)) - {65}
    assert all(element.name for element in ELEMENTS.values())


@pytest.mark.parametrize(
    ("mti", "answer"),
    [
        ("0100", "0110"), ("0101", "0110"), ("0200", "0210"), ("0201", "0210"), ("0220", "0230"),
        ("0221", "0230"), ("0400", "0410"), ("0401", "0410"), ("0420", "0430"), ("0421", "0430"),
        ("0500", "0510"), ("0520", "0530"), ("0800", "0810"), ("0820", "0830"),
    ],
)  # fmt: skip
def test_each_request_and_its_repeat_have_one_answer(mti: str, answer: str) -> None:
    assert Message(mti, {}).asks
    assert response_mti(mti) == answer
    assert not Message(answer, {}).asks


def test_types_are_named_for_people() -> None:
    assert mti_name("0200") == "financial transaction request"
    assert mti_name("0421") == "reversal advice, repeated"
    assert mti_name("9990") == "unknown class unknown function"


def test_a_message_shows_nothing_of_its_card() -> None:
    assert repr(PURCHASE) == "Message(mti='0200')"
