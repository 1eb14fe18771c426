"""The card application: every command, in every order, by every terminal."""

import msgspec
import pytest
from emv_commands import AAC, COUNTER, RECORD, SELECT, generate, gpo, send, status, value, verified
from hypothesis import given
from hypothesis import strategies as st

from emv_tap import (
    AID,
    DATA,
    NOW,
    PROFILE,
    Device,
    profile,
    seeded,
)
from tandem.emv import apdu
from tandem.emv.apdu import PPSE, Command, Response, Status
from tandem.emv.card import (
    Application,
    Card,
    CardState,
)
from tandem.emv.card.files import records
from tandem.emv.tags import Tag
from tandem.emv.tlv import primitive, read_one
from tandem.kernel import ManualClock

# -- selecting -------------------------------------------------------------------------------------


def test_the_directory_lists_what_is_presented_in_order_of_priority() -> None:
    other = msgspec.structs.replace(DATA, aid=AID + b"\x02", label="SECOND", priority=2)
    last = msgspec.structs.replace(DATA, aid=AID + b"\x03", label="LAST", priority=0)
    device = Device(profile(last), profile(other), PROFILE())
    directory = read_one(send(device, apdu.select(PPSE)).data)
    found = directory.first(Tag.FCI_PROPRIETARY, Tag.ISSUER_DISCRETIONARY)
    assert directory.first(Tag.DF_NAME) == primitive(Tag.DF_NAME, PPSE)
    assert found is not None
    names = [entry.first(Tag.ADF_NAME) for entry in found.children]
    assert [name.value for name in names if name] == [AID, AID + b"\x02", AID + b"\x03"]


@pytest.mark.parametrize(
    ("label", "aid_bytes", "listed"), [("A", 6, 8), ("SIXTEEN LETTERS1", 16, 4)]
)
def test_of_more_cards_than_a_directory_holds_the_first_are_in_it(
    label: str, aid_bytes: int, listed: int
) -> None:
    names = [AID[:5] + bytes((n,)).rjust(aid_bytes - 5, b"\x01") for n in range(12)]
    cards = [
        profile(msgspec.structs.replace(DATA, aid=name, label=label, kernel_id=bytes(8)))
        for name in names
    ]
    device = Device(*cards)
    answer = send(device, apdu.select(PPSE))
    assert answer.status == Status.OK
    found = read_one(answer.data).first(Tag.FCI_PROPRIETARY, Tag.ISSUER_DISCRETIONARY)
    assert found is not None
    in_it = [entry.first(Tag.ADF_NAME) for entry in found.children]
    assert [name.value for name in in_it if name] == names[:listed]
    assert status(device, apdu.select(names[-1])) == Status.OK


def test_a_card_may_ask_for_a_kernel() -> None:
    device = Device(profile(msgspec.structs.replace(DATA, kernel_id=b"\x2a")))
    assert b"\x9f\x2a\x01\x2a" in send(device, apdu.select(PPSE)).data


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ([SELECT], Status.OK),
        ([apdu.select(AID[:6])], Status.OK),
        ([apdu.select(AID[:5])], Status.OK),
        ([apdu.select(AID[:4])], Status.FILE_NOT_FOUND),
        ([apdu.select(AID + b"\x00")], Status.FILE_NOT_FOUND),
        ([apdu.select(PPSE[:-1])], Status.FILE_NOT_FOUND),
        ([apdu.select(b"1PAY.SYS.DDF01")], Status.FILE_NOT_FOUND),
        ([apdu.select(PPSE, following=True)], Status.FILE_NOT_FOUND),
        ([apdu.select(AID, following=True)], Status.FILE_NOT_FOUND),
        ([SELECT, apdu.select(AID, following=True)], Status.FILE_NOT_FOUND),
        ([Command(0, 0xA4, 0x04, 0x00, b"", 256)], Status.WRONG_LENGTH),
        ([Command(0, 0xA4, 0x04, 0x00, AID, 16)], Status.WRONG_LENGTH),
        ([Command(0, 0xA4, 0x04, 0x00, AID)], Status.OK),
        ([Command(0, 0xA4, 0x00, 0x00, AID, 256)], Status.WRONG_PARAMETERS),
        ([Command(0, 0xA4, 0x04, 0x0C, AID, 256)], Status.WRONG_PARAMETERS),
        ([Command(0x80, 0xA4, 0x04, 0x00, AID, 256)], Status.UNKNOWN_CLASS),
        # what leads nowhere leaves nothing selected
        ([SELECT, apdu.select(b"nobody"), gpo()], Status.CONDITIONS_NOT_SATISFIED),
        ([SELECT, apdu.select(PPSE), gpo()], Status.CONDITIONS_NOT_SATISFIED),
    ],
)
def test_names_select_as_is_written(commands: list[Command], expected: Status) -> None:
    assert status(Device(), *commands) == expected


def test_of_several_that_begin_alike_each_is_selected_in_its_turn() -> None:
    other = msgspec.structs.replace(DATA, aid=AID + b"\x02", priority=2)
    device = Device(profile(other), PROFILE())
    part, following = apdu.select(AID[:6]), apdu.select(AID[:6], following=True)
    assert value(send(device, part), Tag.FCI, Tag.DF_NAME) == AID
    assert value(send(device, following), Tag.FCI, Tag.DF_NAME) == AID + b"\x02"
    assert status(device, following) == Status.FILE_NOT_FOUND
    assert status(device, following) == Status.FILE_NOT_FOUND


def test_two_cards_of_one_aid_are_not_presented_together() -> None:
    application = Application(PROFILE(), CardState(), seeded())
    with pytest.raises(ValueError, match="the same AID"):
        Card([application, application], ManualClock(NOW))


# -- the order of commands -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "command", "expected"),
    [
        ([], gpo(), Status.CONDITIONS_NOT_SATISFIED),
        ([], RECORD, Status.CONDITIONS_NOT_SATISFIED),
        ([], generate(), Status.CONDITIONS_NOT_SATISFIED),
        ([], COUNTER, Status.CONDITIONS_NOT_SATISFIED),
        ([SELECT], gpo(), Status.OK),
        ([SELECT], RECORD, Status.CONDITIONS_NOT_SATISFIED),
        ([SELECT], generate(), Status.CONDITIONS_NOT_SATISFIED),
        ([SELECT], COUNTER, Status.OK),
        ([SELECT, gpo()], gpo(), Status.CONDITIONS_NOT_SATISFIED),
        ([SELECT, gpo()], RECORD, Status.OK),
        ([SELECT, gpo()], generate(), Status.OK),
        ([SELECT, gpo()], generate(AAC), Status.OK),
        ([SELECT, gpo()], COUNTER, Status.OK),
        ([SELECT, gpo(), generate()], generate(), Status.CONDITIONS_NOT_SATISFIED),
        ([SELECT, gpo(), generate(AAC)], generate(), Status.CONDITIONS_NOT_SATISFIED),
        ([SELECT, gpo(), generate()], gpo(), Status.CONDITIONS_NOT_SATISFIED),
        ([SELECT, gpo(), generate()], RECORD, Status.CONDITIONS_NOT_SATISFIED),
        ([SELECT, gpo(), generate()], COUNTER, Status.OK),
        ([SELECT, gpo(), generate(), SELECT], gpo(), Status.OK),
        ([SELECT, gpo(), SELECT], generate(), Status.CONDITIONS_NOT_SATISFIED),
        (
            [SELECT, gpo({Tag.SERVICE_CONTEXT: b"\x01"})],
            generate(),
            Status.CONDITIONS_NOT_SATISFIED,
        ),
    ],
)
def test_what_comes_out_of_order_is_refused(
    before: list[Command], command: Command, expected: Status
) -> None:
    device = verified()
    assert status(device, *before, command) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Command(0x80, 0xA8, 0, 1, gpo().data, 256), Status.WRONG_PARAMETERS),
        (Command(0x80, 0xA8, 1, 0, gpo().data, 256), Status.WRONG_PARAMETERS),
        (Command(0x80, 0xA8, 0, 0, gpo().data, 10), Status.WRONG_LENGTH),
        (Command(0x80, 0xA8, 0, 0, b"\x83\x00", 256), Status.WRONG_LENGTH),
        (Command(0x80, 0xA8, 0, 0, b"", 256), Status.WRONG_DATA),
        (Command(0x80, 0xA8, 0, 0, gpo().data[:-1], 256), Status.WRONG_DATA),
        (Command(0x80, 0xA8, 0, 0, gpo().data + b"\x00", 256), Status.WRONG_DATA),
        (Command(0x80, 0xA8, 0, 0, b"\x84" + gpo().data[1:], 256), Status.WRONG_DATA),
        (gpo({Tag.AMOUNT: bytes.fromhex("00000000380A")}), Status.WRONG_DATA),
        (gpo({Tag.TRANSACTION_CURRENCY: bytes.fromhex("FFFF")}), Status.WRONG_DATA),
        (Command(0x00, 0xA8, 0, 0, gpo().data, 256), Status.UNKNOWN_CLASS),
        (Command(0x84, 0xA8, 0, 0, gpo().data, 256), Status.UNKNOWN_CLASS),
        (Command(0x00, 0x88, 0, 0, b"", 256), Status.UNKNOWN_INSTRUCTION),
        (Command(0x80, 0x20, 0, 0x80, b"", None), Status.UNKNOWN_INSTRUCTION),
    ],
)
def test_processing_options_take_only_what_was_asked_for(
    command: Command, expected: Status
) -> None:
    device = verified()
    assert status(device, SELECT, command) == expected
    assert device.state.atc == 0
    assert status(device, gpo()) == Status.OK, "a mistake uses nothing up"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (generate(0xC0), Status.WRONG_PARAMETERS),
        (generate(0x91), Status.WRONG_PARAMETERS),
        (generate(0x88), Status.WRONG_PARAMETERS),
        (Command(0x80, 0xAE, 0x90, 1, generate().data, 256), Status.WRONG_PARAMETERS),
        (Command(0x80, 0xAE, 0x90, 0, generate().data[:-1], 256), Status.WRONG_LENGTH),
        (Command(0x80, 0xAE, 0x90, 0, b"", 256), Status.WRONG_LENGTH),
        (Command(0x80, 0xAE, 0x90, 0, generate().data, 1), Status.WRONG_LENGTH),
        (generate(changed={Tag.AMOUNT: bytes.fromhex("0000000038AA")}), Status.WRONG_DATA),
        (Command(0x00, 0xAE, 0x90, 0, generate().data, 256), Status.UNKNOWN_CLASS),
    ],
)
def test_generate_ac_takes_only_what_was_asked_for(command: Command, expected: Status) -> None:
    device = verified()
    assert status(device, SELECT, gpo(), command) == expected
    assert status(device, generate()) == Status.OK, "a mistake uses nothing up"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("AMOUNT", "000000003801"),
        ("AMOUNT_OTHER", "000000000001"),
        ("TRANSACTION_CURRENCY", "0840"),
        ("TERMINAL_COUNTRY", "0840"),
        ("TRANSACTION_TYPE", "20"),
        ("TRANSACTION_DATE", "290616"),
        ("UNPREDICTABLE_NUMBER", "01020305"),
    ],
)
def test_who_tells_two_stories_in_one_tap_gets_no_cryptogram(name: str, other: str) -> None:
    device = verified()
    changed = generate(changed={Tag[name]: bytes.fromhex(other)})
    assert status(device, SELECT, gpo(), changed) == Status.CONDITIONS_NOT_SATISFIED
    assert status(device, generate()) == Status.CONDITIONS_NOT_SATISFIED, "that was the one chance"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (apdu.read_record(1, 2), Status.RECORD_NOT_FOUND),
        (apdu.read_record(2, 9), Status.RECORD_NOT_FOUND),
        (apdu.read_record(2, 0), Status.RECORD_NOT_FOUND),
        (apdu.read_record(3, 1), Status.FILE_NOT_FOUND),
        (Command(0, 0xB2, 1, 0x0D, b"", 256), Status.WRONG_PARAMETERS),
        (Command(0, 0xB2, 1, 0x0C, b"\x00", 256), Status.WRONG_LENGTH),
        (Command(0, 0xB2, 1, 0x0C, b"", 5), Status.WRONG_LENGTH),
        (Command(0x80, 0xB2, 1, 0x0C, b"", 256), Status.UNKNOWN_CLASS),
    ],
)
def test_records_are_those_of_the_file_locator(command: Command, expected: Status) -> None:
    device = verified()
    assert status(device, SELECT, gpo(), command) == expected


def test_all_records_fit_and_the_first_one_is_signed() -> None:
    device = verified()
    answer = send(device, SELECT, gpo())
    locator = value(answer, Tag.FORMAT_2, Tag.AFL)
    assert locator.hex() == "08010101" + "10010300"
    found = records(PROFILE().data, PROFILE().certificates)
    assert all(len(record.data) <= 254 for record in found)
    for record in found:
        assert send(device, apdu.read_record(record.sfi, record.number)).data == record.data


def test_counters_can_be_asked_for_and_there_is_no_log() -> None:
    device = Device(state=CardState(atc=258, last_online_atc=257))
    device.card.present(tries_left=4)
    send(device, SELECT)
    assert value(send(device, COUNTER), Tag.ATC).hex() == "0102"
    last = send(device, apdu.get_data(Tag.LAST_ONLINE_ATC))
    assert value(last, Tag.LAST_ONLINE_ATC).hex() == "0101"
    tries = send(device, apdu.get_data(Tag.PIN_TRY_COUNTER))
    assert value(tries, Tag.PIN_TRY_COUNTER) == b"\x04"
    assert status(device, apdu.get_data(Tag.LOG_FORMAT)) == Status.DATA_NOT_FOUND
    assert status(device, apdu.get_data(Tag.PAN)) == Status.DATA_NOT_FOUND
    assert status(device, Command(0x80, 0xCA, 0x9F, 0x36, b"x", 256)) == Status.WRONG_LENGTH
    device.card.present()
    assert status(device, apdu.get_data(Tag.PIN_TRY_COUNTER)) == Status.DATA_NOT_FOUND


# -- no input breaks it ----------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_any_bytes_are_answered_with_a_status_word(commands: list[bytes]) -> None:
    device = Device()
    for command in (SELECT.write(), *commands):
        Response.read(device.transmit(command))
    assert device.state == CardState()


mutated = st.tuples(
    st.sampled_from([SELECT, apdu.select(PPSE), gpo(), RECORD, generate(), COUNTER]),
    st.integers(0, 70),
    st.integers(0, 255),
)


@given(st.lists(mutated, max_size=8))
def test_commands_with_a_byte_changed_are_answered_too(
    commands: list[tuple[Command, int, int]],
) -> None:
    device = verified()
    for command, at, byte in commands:
        data = bytearray(command.write())
        data[at % len(data)] = byte
        answer = Response.read(device.transmit(bytes(data)))
        assert answer.status in set(Status)
        assert not answer.data or answer.status in {Status.OK, Status.SELECTED_INVALIDATED}
