"""Commands and responses between terminal and card (ISO/IEC 7816-4; EMV Book 3, 6).

Short ones only: up to 255 bytes of command data and 256 of response data, as EMV uses. The four
cases of a command are told apart by its length alone:

    case 1   CLA INS P1 P2                    no data either way
    case 2   CLA INS P1 P2 Le                 data is expected
    case 3   CLA INS P1 P2 Lc data            data is sent
    case 4   CLA INS P1 P2 Lc data Le         both
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from tandem.emv.errors import ApduMalformed, TooLong

PPSE: Final = b"2PAY.SYS.DDF01"
"""The name of the directory of contactless applications (Contactless Book B, 3.3.2)."""
MAX_COMMAND_DATA: Final = 255
MAX_RESPONSE_DATA: Final = 256

_HEADER = 4
_STATUS = 2
_BYTE = 0xFF


class Ins(IntEnum):
    """The instructions that a contactless application knows (Book 1, 11.3; Book 3, 6.5)."""

    SELECT = 0xA4
    GET_PROCESSING_OPTIONS = 0xA8
    READ_RECORD = 0xB2
    GET_DATA = 0xCA
    GENERATE_AC = 0xAE


class Status(IntEnum):
    """Status words by name (ISO/IEC 7816-4; EMV Book 3, 6.3.5)."""

    OK = 0x9000
    SELECTED_INVALIDATED = 0x6283
    WRONG_LENGTH = 0x6700
    NOT_ALLOWED = 0x6986
    CONDITIONS_NOT_SATISFIED = 0x6985
    WRONG_DATA = 0x6A80
    NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    WRONG_PARAMETERS = 0x6A86
    DATA_NOT_FOUND = 0x6A88
    UNKNOWN_INSTRUCTION = 0x6D00
    UNKNOWN_CLASS = 0x6E00
    NO_DIAGNOSIS = 0x6F00


_STATUS_NAMES: Final = {
    Status.OK: "Normal processing",
    Status.SELECTED_INVALIDATED: "Selected file invalidated",
    0x6300: "Authentication failed",
    Status.WRONG_LENGTH: "Wrong length",
    0x6983: "Authentication method blocked",
    0x6984: "Referenced data invalidated",
    Status.CONDITIONS_NOT_SATISFIED: "Conditions of use not satisfied",
    Status.NOT_ALLOWED: "Command not allowed",
    Status.WRONG_DATA: "Incorrect data",
    Status.NOT_SUPPORTED: "Function not supported",
    Status.FILE_NOT_FOUND: "File not found",
    Status.RECORD_NOT_FOUND: "Record not found",
    Status.WRONG_PARAMETERS: "Incorrect parameters P1 P2",
    Status.DATA_NOT_FOUND: "Referenced data not found",
    Status.UNKNOWN_INSTRUCTION: "Instruction not supported",
    Status.UNKNOWN_CLASS: "Class not supported",
    Status.NO_DIAGNOSIS: "No precise diagnosis",
}
_FAMILIES: Final = {
    0x61: "Response bytes still available",
    0x62: "Warning, memory unchanged",
    0x63: "Warning, memory changed",
    0x64: "Error, memory unchanged",
    0x65: "Error, memory changed",
    0x66: "Security error",
    0x67: "Wrong length",
    0x68: "Function of the class not supported",
    0x69: "Command not allowed",
    0x6A: "Wrong parameters",
    0x6B: "Wrong parameters",
    0x6C: "Wrong expected length",
    0x6D: "Instruction not supported",
    0x6E: "Class not supported",
    0x6F: "No precise diagnosis",
}
_COMMAND_NAMES: Final = {
    0x82: "EXTERNAL AUTHENTICATE",
    0x84: "GET CHALLENGE",
    0x88: "INTERNAL AUTHENTICATE",
    0x20: "VERIFY",
    Ins.SELECT: "SELECT",
    Ins.GET_PROCESSING_OPTIONS: "GET PROCESSING OPTIONS",
    Ins.READ_RECORD: "READ RECORD",
    Ins.GET_DATA: "GET DATA",
    Ins.GENERATE_AC: "GENERATE AC",
    0xC0: "GET RESPONSE",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command. `le` is how many bytes are expected at most, 1 to 256, or None for no data."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    le: int | None = None

    @staticmethod
    def read(data: bytes) -> "Command":
        """Read a command. Raises `ApduMalformed` for what is none of the four cases."""
        if len(data) < _HEADER:
            raise ApduMalformed(len(data), f"{len(data)} bytes, and a command has four at least")
        cla, ins, p1, p2 = data[:_HEADER]
        body = data[_HEADER:]
        if not body:
            return Command(cla, ins, p1, p2)
        if len(body) == 1:
            return Command(cla, ins, p1, p2, b"", _expected(body[0]))
        end = 1 + body[0]
        if not body[0] or len(body) not in {end, end + 1}:
            raise ApduMalformed(_HEADER, f"Lc is {body[0]}, and {len(body) - 1} bytes follow it")
        le = _expected(body[end]) if len(body) > end else None
        return Command(cla, ins, p1, p2, body[1:end], le)

    def write(self) -> bytes:
        """The command's bytes. Raises `TooLong` above 255 bytes of data.

        Raises `ValueError` for a byte or an `le` out of range: a fault of the program.
        """
        if len(self.data) > MAX_COMMAND_DATA:
            raise TooLong("the command's data", len(self.data), MAX_COMMAND_DATA)
        if self.le is not None and not 1 <= self.le <= MAX_RESPONSE_DATA:
            raise ValueError(f"1 to {MAX_RESPONSE_DATA} bytes can be expected, not {self.le}")
        sent = bytes((len(self.data),)) + self.data if self.data else b""
        expected = b"" if self.le is None else bytes((self.le & _BYTE,))
        return bytes((self.cla, self.ins, self.p1, self.p2)) + sent + expected

    @property
    def name(self) -> str:
        """The instruction's name, or its number."""
        return _COMMAND_NAMES.get(self.ins, f"INS {self.ins:02X}")


@dataclass(frozen=True, slots=True)
class Response:
    """A response: data and the status word, 0000 to FFFF."""

    data: bytes = field(repr=False)
    status: int

    @staticmethod
    def read(data: bytes) -> "Response":
        """Read a response. Raises `ApduMalformed` if it has no status word or too much data."""
        if len(data) < _STATUS:
            raise ApduMalformed(len(data), "no status word")
        if len(data) > MAX_RESPONSE_DATA + _STATUS:
            raise ApduMalformed(MAX_RESPONSE_DATA, f"more than {MAX_RESPONSE_DATA} bytes of data")
        return Response(data[:-_STATUS], int.from_bytes(data[-_STATUS:], "big"))

    def write(self) -> bytes:
        """The response's bytes. Raises `TooLong` above 256 bytes of data."""
        if len(self.data) > MAX_RESPONSE_DATA:
            raise TooLong("the response's data", len(self.data), MAX_RESPONSE_DATA)
        return self.data + self.status.to_bytes(_STATUS, "big")

    @property
    def ok(self) -> bool:
        """Whether the status word is 9000."""
        return self.status == Status.OK


def _expected(le: int) -> int:
    """How many bytes an Le asks for: 00 stands for 256."""
    return le or MAX_RESPONSE_DATA


def status_name(status: int) -> str:
    """What a status word says, in words."""
    if status >> 8 == 0x6C:  # noqa: PLR2004 -- the family of status words that ISO writes as 6Cxx
        return f"Wrong expected length; {status & _BYTE} bytes are there"
    if status & 0xFFF0 == 0x63C0:  # noqa: PLR2004 -- ISO writes it 63Cx
        return f"Verification failed, {status & 0xF} tries left"
    return _STATUS_NAMES.get(status) or _FAMILIES.get(status >> 8, "Unknown status word")


def select(name: bytes, *, following: bool = False) -> Command:
    """SELECT by name: the first application of that name, or the one `following` (Book 1, 11.3)."""
    return Command(0x00, Ins.SELECT, 0x04, 0x02 if following else 0x00, name, MAX_RESPONSE_DATA)


def get_processing_options(values: bytes) -> Command:
    """GET PROCESSING OPTIONS with a written command template 83 (Book 3, 6.5.8)."""
    return Command(0x80, Ins.GET_PROCESSING_OPTIONS, 0x00, 0x00, values, MAX_RESPONSE_DATA)


def read_record(sfi: int, record: int) -> Command:
    """READ RECORD of a file, SFI 1 to 30, record 1 to 255 (Book 3, 6.5.11)."""
    return Command(0x00, Ins.READ_RECORD, record, sfi << 3 | 0b100, b"", MAX_RESPONSE_DATA)


def get_data(tag: int) -> Command:
    """GET DATA of a primitive data object outside of records (Book 3, 6.5.7)."""
    return Command(0x80, Ins.GET_DATA, tag >> 8, tag & _BYTE, b"", MAX_RESPONSE_DATA)


def generate_ac(control: int, values: bytes) -> Command:
    """GENERATE AC with its reference control parameter and the CDOL's values (Book 3, 6.5.5)."""
    return Command(0x80, Ins.GENERATE_AC, control, 0x00, values, MAX_RESPONSE_DATA)
