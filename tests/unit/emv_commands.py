"""Commands as terminals send them, and what the issuer makes of the answers."""

from typing import Final

from emv_made import key
from emv_tap import (
    AID,
    FINGER,
    Device,
)
from tandem.emv import apdu
from tandem.emv.apdu import Command, Response
from tandem.emv.card.files import AIP, CDOL1, PDOL
from tandem.emv.cryptograms import (
    CryptogramData,
)
from tandem.emv.dynamic import check_combined, transaction_hash
from tandem.emv.tags import Tag
from tandem.emv.tlv import first, primitive, read_one, write

Values = dict[int, bytes]
VALUES: Final[Values] = {
    Tag.TTQ: bytes.fromhex("21004000"),
    Tag.AMOUNT: bytes.fromhex("000000003800"),
    Tag.AMOUNT_OTHER: bytes(6),
    Tag.TERMINAL_COUNTRY: bytes.fromhex("0156"),
    Tag.TRANSACTION_CURRENCY: bytes.fromhex("0156"),
    Tag.TRANSACTION_DATE: bytes.fromhex("290615"),
    Tag.TRANSACTION_TYPE: b"\x00",
    Tag.UNPREDICTABLE_NUMBER: bytes.fromhex("01020304"),
    Tag.SERVICE_CONTEXT: b"\x00",
    Tag.MERCHANT_CATEGORY: bytes.fromhex("5812"),
    Tag.MERCHANT_NAME: b"Noodles",
    Tag.TVR: bytes(5),
    Tag.CVM_RESULTS: bytes.fromhex("600002"),
    Tag.TERMINAL_TYPE: b"\x22",
}
SELECT = apdu.select(AID)
RECORD: Final = apdu.read_record(1, 1)
COUNTER: Final = apdu.get_data(Tag.ATC)
ARQC_CDA, TC_CDA, AAC_CDA, AAC, ARQC = 0x90, 0x50, 0x10, 0x00, 0x80


NOTHING: Final[Values] = {}


def gpo(changed: Values = NOTHING) -> Command:
    data = primitive(Tag.COMMAND_TEMPLATE, PDOL.fill(VALUES | changed)).raw
    return apdu.get_processing_options(data)


def generate(control: int = ARQC_CDA, changed: Values = NOTHING) -> Command:
    return apdu.generate_ac(control, CDOL1.fill(VALUES | changed))


def send(device: Device, *commands: Command) -> Response:
    answers = [Response.read(device.transmit(command.write())) for command in commands]
    return answers[-1]


def status(device: Device, *commands: Command) -> int:
    return send(device, *commands).status


def value(response: Response, *path: int) -> bytes:
    found = first([read_one(response.data)], *path)
    assert found is not None
    return found.value


def verified() -> Device:
    device = Device()
    device.card.present(FINGER)
    return device


def issuer_data(answer: Response, changed: Values = NOTHING) -> CryptogramData:
    """What the issuer checks a cryptogram over, put together from the terminal's side."""
    values = VALUES | changed
    return CryptogramData(
        amount=values[Tag.AMOUNT],
        amount_other=values[Tag.AMOUNT_OTHER],
        country=values[Tag.TERMINAL_COUNTRY],
        tvr=values[Tag.TVR],
        currency=values[Tag.TRANSACTION_CURRENCY],
        date=values[Tag.TRANSACTION_DATE],
        type=values[Tag.TRANSACTION_TYPE],
        unpredictable_number=values[Tag.UNPREDICTABLE_NUMBER],
        aip=AIP,
        atc=value(answer, Tag.FORMAT_2, Tag.ATC),
        application_data=value(answer, Tag.FORMAT_2, Tag.ISSUER_APPLICATION_DATA),
    )


def proved(answer: Response, commands: tuple[Command, Command]) -> bytes:
    """The cryptogram out of a signed answer, its signature checked."""
    children = read_one(answer.data).children
    unsigned = write(entry for entry in children if entry.tag != Tag.SIGNED_DYNAMIC_DATA)
    return check_combined(
        key(1408, "card").public,
        value(answer, Tag.FORMAT_2, Tag.SIGNED_DYNAMIC_DATA),
        information=value(answer, Tag.FORMAT_2, Tag.CRYPTOGRAM_INFORMATION)[0],
        transaction=transaction_hash(read_one(commands[0].data).value, commands[1].data, unsigned),
        unpredictable_number=VALUES[Tag.UNPREDICTABLE_NUMBER],
    ).cryptogram
