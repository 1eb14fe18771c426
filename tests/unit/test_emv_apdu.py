"""Commands and responses: four cases, told apart by length; status words by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.emv import apdu
from tandem.emv.apdu import Command, Response, Status
from tandem.emv.errors import ApduMalformed, TooLong


@pytest.mark.parametrize(
    ("data", "command"),
    [
        ("00A40400", Command(0x00, 0xA4, 0x04, 0x00)),
        ("00B2010C00", Command(0x00, 0xB2, 0x01, 0x0C, b"", 256)),
        ("00B2010C10", Command(0x00, 0xB2, 0x01, 0x0C, b"", 16)),
        ("80A80000028300", Command(0x80, 0xA8, 0, 0, b"\x83\x00")),
        ("80A8000002830000", Command(0x80, 0xA8, 0, 0, b"\x83\x00", 256)),
        ("80A80000FF" + "11" * 255 + "FF", Command(0x80, 0xA8, 0, 0, b"\x11" * 255, 255)),
    ],
)
def test_the_four_cases_are_read_and_written(data: str, command: Command) -> None:
    assert Command.read(bytes.fromhex(data)) == command
    assert command.write() == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "0 bytes, and a command has four at least"),
        ("00A404", "3 bytes"),
        ("00A4040005AABB", "Lc is 5, and 2 bytes follow it"),
        ("00A4040001AABBCC", "Lc is 1, and 3 bytes follow it"),
        ("00A40400000001AA", "Lc is 0"),  # the extended form
        ("00A404000000", "Lc is 0"),
    ],
)
def test_what_is_no_command_is_refused(data: str, reason: str) -> None:
    with pytest.raises(ApduMalformed, match=reason):
        Command.read(bytes.fromhex(data))


def test_a_command_too_long_or_out_of_range_cannot_be_written() -> None:
    with pytest.raises(TooLong):
        Command(0, 0xA4, 4, 0, bytes(256)).write()
    with pytest.raises(ValueError, match="1 to 256 bytes"):
        Command(0, 0xA4, 4, 0, b"", 257).write()
    with pytest.raises(ValueError, match="1 to 256 bytes"):
        Command(0, 0xA4, 4, 0, b"", 0).write()


@pytest.mark.parametrize(
    ("command", "data"),
    [
        (apdu.select(b"2PAY.SYS.DDF01"), "00A404000E" + b"2PAY.SYS.DDF01".hex() + "00"),
        (apdu.select(b"\xf0\x01", following=True), "00A4040202F00100"),
        (apdu.get_processing_options(b"\x83\x00"), "80A8000002830000"),
        (apdu.read_record(1, 3), "00B2030C00"),
        (apdu.read_record(30, 255), "00B2FFF400"),
        (apdu.get_data(0x9F36), "80CA9F3600"),
        (apdu.generate_ac(0x90, b"\x01"), "80AE9000010100"),
    ],
)
def test_the_commands_of_a_tap_stand_as_the_books_have_them(command: Command, data: str) -> None:
    assert command.write() == bytes.fromhex(data)


def test_a_response_is_data_and_a_status_word() -> None:
    response = Response.read(bytes.fromhex("77009000"))
    assert (response.data, response.status, response.ok) == (b"\x77\x00", Status.OK, True)
    assert response.write().hex() == "77009000"
    assert not Response.read(bytes.fromhex("6A82")).ok
    assert Response(bytes(256), 0x9000).write() == bytes(256) + b"\x90\x00"
    for bad in (b"", b"\x90", bytes(259)):
        with pytest.raises(ApduMalformed):
            Response.read(bad)
    with pytest.raises(TooLong):
        Response(bytes(257), 0x9000).write()


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (0x9000, "Normal processing"),
        (0x6985, "Conditions of use not satisfied"),
        (0x6A83, "Record not found"),
        (0x63C2, "Verification failed, 2 tries left"),
        (0x6C1A, "Wrong expected length; 26 bytes are there"),
        (0x6112, "Response bytes still available"),
        (0x6AFF, "Wrong parameters"),
        (0x1234, "Unknown status word"),
    ],
)
def test_status_words_have_names(status: int, name: str) -> None:
    assert apdu.status_name(status) == name


def test_every_status_word_has_some_name() -> None:
    assert all(apdu.status_name(status) for status in range(0x10000))


def test_data_stays_out_of_what_is_logged() -> None:
    assert "secret" not in repr(Command(0, 0x20, 0, 0, b"secret"))
    assert "secret" not in repr(Response(b"secret", 0x9000))


byte = st.integers(0, 255)
commands = st.builds(
    Command, byte, byte, byte, byte, st.binary(max_size=255), st.none() | st.integers(1, 256)
)


@given(commands)
def test_any_command_is_read_back_equal(command: Command) -> None:
    assert Command.read(command.write()) == command


@given(st.builds(Response, st.binary(max_size=256), st.integers(0, 0xFFFF)))
def test_any_response_is_read_back_equal(response: Response) -> None:
    assert Response.read(response.write()) == response


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_refused(data: bytes) -> None:
    try:
        command = Command.read(data)
    except ApduMalformed:
        return
    assert command.write() == data
    assert command.name
