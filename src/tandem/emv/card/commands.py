"""Commands as the card takes them: which it knows, and what is in them."""

from typing import Final

from tandem.emv.apdu import Command, Ins, Status
from tandem.emv.dol import Dol
from tandem.emv.errors import Malformed
from tandem.emv.tags import Tag, fits
from tandem.emv.tlv import read_one


class CommandRefused(Exception):
    """A command that is refused; what leaves the card is the status word."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


_CLASSES: Final[dict[int, int]] = {
    Ins.SELECT: 0x00,
    Ins.READ_RECORD: 0x00,
    Ins.GET_PROCESSING_OPTIONS: 0x80,
    Ins.GENERATE_AC: 0x80,
    Ins.GET_DATA: 0x80,
}


def wrong_instruction(command: Command) -> Status | None:
    """The status word for a class or an instruction that the card does not know, or None."""
    if command.cla not in {0x00, 0x80}:
        return Status.UNKNOWN_CLASS
    expected = _CLASSES.get(command.ins)
    if expected is None:
        return Status.UNKNOWN_INSTRUCTION
    return None if expected == command.cla else Status.UNKNOWN_CLASS


def template(data: bytes) -> bytes:
    """The values in the command template 83 (Book 3, 6.5.8.3)."""
    try:
        found = read_one(data)
    except Malformed:
        raise CommandRefused(Status.WRONG_DATA) from None
    if found.tag != Tag.COMMAND_TEMPLATE or found.raw != data:
        raise CommandRefused(Status.WRONG_DATA)
    return found.value


def values_of(dol: Dol, data: bytes) -> dict[int, bytes]:
    """The values that a list was answered with, each as the dictionary allows it."""
    try:
        values = dol.split(data)
    except Malformed:
        raise CommandRefused(Status.WRONG_LENGTH) from None
    if not all(fits(tag, value) for tag, value in values.items()):
        raise CommandRefused(Status.WRONG_DATA)
    return values


def number(value: bytes) -> int:
    """A value of digits, whose form was checked."""
    return int(value.hex())


def two_bytes(value: int) -> bytes:
    """A counter as it is sent."""
    return value.to_bytes(2, "big")
