"""What the bits of a value mean, for the data objects that are made of bits.

After EMV Book 3, Annex C (AIP, usage control, CVM list, TVR, TSI), Book 4, Annex A (terminal type
and capabilities, CVM results) and Contactless Book A, 5.7 (terminal transaction qualifiers). Bits
of a byte are numbered from 8, the highest, to 1.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple


class Bit(NamedTuple):
    """A meaning: byte `byte` (from 1), under `mask`, has this `value`."""

    byte: int
    mask: int
    value: int
    name: str


def _bits(byte: int, *names: str) -> Iterator[Bit]:
    """Names of single bits from 8 downwards; an empty one is reserved."""
    for number, name in enumerate(names):
        mask = 0x80 >> number
        if name:
            yield Bit(byte, mask, mask, name)


AIP: Final = (
    *_bits(
        1,
        "Extended data authentication (XDA) supported",
        "Static data authentication (SDA) supported",
        "Dynamic data authentication (DDA) supported",
        "Cardholder verification supported",
        "Terminal risk management to be performed",
        "Issuer authentication supported",
        "On-device cardholder verification supported",
        "Combined dynamic data authentication (CDA) supported",
    ),
    *_bits(2, "Contactless EMV mode supported", "Mobile phone"),
)
USAGE_CONTROL: Final = (
    *_bits(
        1,
        "Valid for domestic cash",
        "Valid for international cash",
        "Valid for domestic goods",
        "Valid for international goods",
        "Valid for domestic services",
        "Valid for international services",
        "Valid at ATMs",
        "Valid at terminals other than ATMs",
    ),
    *_bits(2, "Domestic cashback allowed", "International cashback allowed"),
)
TVR: Final = (
    *_bits(
        1,
        "Offline data authentication was not performed",
        "SDA failed",
        "Card data missing",
        "Card appears on the terminal exception file",
        "DDA failed",
        "CDA failed",
        "SDA selected",
        "XDA selected",
    ),
    *_bits(
        2,
        "Card and terminal have different application versions",
        "Expired application",
        "Application not yet effective",
        "Requested service not allowed for card product",
        "New card",
        "",
        "Biometric performed and successful",
        "Biometric template format not supported",
    ),
    *_bits(
        3,
        "Cardholder verification was not successful",
        "Unrecognised CVM",
        "PIN try limit exceeded",
        "PIN entry required and PIN pad not present or not working",
        "PIN entry required, PIN pad present, but PIN was not entered",
        "Online CVM captured",
        "Biometric required but capture device not working",
        "Biometric required, but its entry was bypassed",
    ),
    *_bits(
        4,
        "Transaction exceeds floor limit",
        "Lower consecutive offline limit exceeded",
        "Upper consecutive offline limit exceeded",
        "Transaction selected randomly for online processing",
        "Merchant forced transaction online",
        "Biometric try limit exceeded",
        "A selected biometric type not supported",
        "XDA signature verification failed",
    ),
    *_bits(
        5,
        "Default TDOL used",
        "Issuer authentication failed",
        "Script processing failed before final GENERATE AC",
        "Script processing failed after final GENERATE AC",
        "",
        "CA ECC key missing",
        "ECC key recovery failed",
    ),
)
TSI: Final = tuple(
    _bits(
        1,
        "Offline data authentication was performed",
        "Cardholder verification was performed",
        "Card risk management was performed",
        "Issuer authentication was performed",
        "Terminal risk management was performed",
        "Script processing was performed",
    )
)
TERMINAL_CAPABILITIES: Final = (
    *_bits(1, "Manual key entry", "Magnetic stripe", "IC with contacts"),
    *_bits(
        2,
        "Plaintext PIN for ICC verification",
        "Enciphered PIN for online verification",
        "Signature (paper)",
        "Enciphered PIN for offline verification",
        "No CVM required",
    ),
    *_bits(3, "SDA", "DDA", "Card capture", "", "CDA"),
)
ADDITIONAL_CAPABILITIES: Final = (
    *_bits(
        1,
        "Cash",
        "Goods",
        "Services",
        "Cashback",
        "Inquiry",
        "Transfer",
        "Payment",
        "Administrative",
    ),
    *_bits(2, "Cash deposit"),
    *_bits(3, "Numeric keys", "Alphabetic and special keys", "Command keys", "Function keys"),
    *_bits(
        4,
        "Print, attendant",
        "Print, cardholder",
        "Display, attendant",
        "Display, cardholder",
        "",
        "",
        "Code table 10",
        "Code table 9",
    ),
    *_bits(5, *(f"Code table {number}" for number in range(8, 0, -1))),
)
TTQ: Final = (
    *_bits(
        1,
        "Magnetic stripe mode supported",
        "",
        "EMV mode supported",
        "EMV contact chip supported",
        "Offline-only reader",
        "Online PIN supported",
        "Signature supported",
        "Offline data authentication for online authorisations supported",
    ),
    *_bits(
        2, "Online cryptogram required", "CVM required", "Offline PIN supported on the contact chip"
    ),
    *_bits(3, "Issuer update processing supported", "Consumer device CVM supported"),
)
CTQ: Final = (
    *_bits(
        1,
        "Online PIN required",
        "Signature required",
        "Go online if offline data authentication fails",
        "Switch interface if offline data authentication fails",
        "Go online if application expired",
        "Switch interface for cash",
        "Switch interface for cashback",
        "Not valid for contactless ATM transactions",
    ),
    *_bits(2, "Consumer device CVM performed", "Issuer update processing supported"),
)
CRYPTOGRAM_INFORMATION: Final = (
    Bit(1, 0xC0, 0x00, "AAC: declined"),
    Bit(1, 0xC0, 0x40, "TC: approved offline"),
    Bit(1, 0xC0, 0x80, "ARQC: go online"),
    Bit(1, 0xC0, 0xC0, "Reserved cryptogram type"),
    Bit(1, 0x08, 0x08, "Advice required"),
    Bit(1, 0x07, 0x01, "Service not allowed"),
    Bit(1, 0x07, 0x02, "PIN try limit exceeded"),
    Bit(1, 0x07, 0x03, "Issuer authentication failed"),
)
TERMINAL_TYPE: Final = (
    *(Bit(1, 0xF0, value, name) for value, name in (
        (0x10, "Operated by a financial institution"),
        (0x20, "Operated by a merchant"),
        (0x30, "Operated by the cardholder"),
    )),
    *(Bit(1, 0x0F, value, name) for value, name in (
        (1, "Attended, online only"),
        (2, "Attended, offline with online capability"),
        (3, "Attended, offline only"),
        (4, "Unattended, online only"),
        (5, "Unattended, offline with online capability"),
        (6, "Unattended, offline only"),
    )),
)  # fmt: skip
PRIORITY: Final = (
    Bit(1, 0x80, 0x80, "Not to be selected without the cardholder's confirmation"),
    Bit(1, 0x0F, 0x00, "No priority assigned"),
    *(Bit(1, 0x0F, rank, f"Priority {rank}, 1 being the highest") for rank in range(1, 16)),
)
SERVICE_CONTEXT: Final = (
    Bit(1, 0xFF, 0x00, "Shop"),
    Bit(1, 0xFF, 0x01, "Gate of public transport"),
)

BY_TAG: Final = {
    0x82: AIP,
    0x87: PRIORITY,
    0x95: TVR,
    0x9B: TSI,
    0x9F07: USAGE_CONTROL,
    0x9F0D: TVR,
    0x9F0E: TVR,
    0x9F0F: TVR,
    0x9F27: CRYPTOGRAM_INFORMATION,
    0x9F33: TERMINAL_CAPABILITIES,
    0x9F35: TERMINAL_TYPE,
    0x9F40: ADDITIONAL_CAPABILITIES,
    0x9F66: TTQ,
    0x9F6C: CTQ,
    0xDF20: SERVICE_CONTEXT,
}
"""The bits of each data object that is made of them."""

CVM_CODES: Final = {
    0x00: "Fail CVM processing",
    0x01: "Plaintext PIN verification performed by ICC",
    0x02: "Enciphered PIN verified online",
    0x03: "Plaintext PIN verification performed by ICC and signature",
    0x04: "Enciphered PIN verification performed by ICC",
    0x05: "Enciphered PIN verification performed by ICC and signature",
    0x06: "Facial biometric verified offline",
    0x07: "Facial biometric verified online",
    0x08: "Finger biometric verified offline",
    0x09: "Finger biometric verified online",
    0x0A: "Palm biometric verified offline",
    0x0B: "Palm biometric verified online",
    0x0C: "Iris biometric verified offline",
    0x0D: "Iris biometric verified online",
    0x0E: "Voice biometric verified offline",
    0x0F: "Voice biometric verified online",
    0x1E: "Signature (paper)",
    0x1F: "No CVM required",
    0x20: "Consumer device CVM (Tandem)",
    0x3F: "No CVM performed",
}
"""CVM codes, bits 6 to 1 (Book 3, Annex C3). 20 to 2F are for payment systems: 20 is ours."""

CVM_CONDITIONS: Final = {
    0x00: "always",
    0x01: "if unattended cash",
    0x02: "if not unattended cash, not manual cash and not purchase with cashback",
    0x03: "if terminal supports the CVM",
    0x04: "if manual cash",
    0x05: "if purchase with cashback",
    0x06: "if in the application currency and under X",
    0x07: "if in the application currency and over X",
    0x08: "if in the application currency and under Y",
    0x09: "if in the application currency and over Y",
}
CVM_OUTCOMES: Final = {0x00: "unknown", 0x01: "failed", 0x02: "successful"}
"""The third byte of the CVM results (Book 4, Annex A4)."""

TRANSACTION_TYPES: Final = {
    0x00: "Goods or services",
    0x01: "Cash",
    0x09: "Goods or services with cashback",
    0x20: "Refund",
    0x30: "Balance inquiry",
}
"""The first two digits of the ISO 8583 processing code, as far as contactless cards see them."""


def meanings(tag: int, value: bytes) -> tuple[str, ...]:
    """What the bits of a value say, in order; empty for a tag whose values are not made of bits.

    Bits beyond the end of a value that is too short say nothing.
    """
    return tuple(
        bit.name
        for bit in BY_TAG.get(tag, ())
        if bit.byte <= len(value) and value[bit.byte - 1] & bit.mask == bit.value
    )
