"""The codes of ISO 8583:1987 that this host speaks, with their words."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ResponseCode(StrEnum):
    """Element 39 of an answer: how it ended."""

    APPROVED = "00"
    INVALID_MERCHANT = "03"
    DO_NOT_HONOUR = "05"
    INVALID_TRANSACTION = "12"
    INVALID_AMOUNT = "13"
    INVALID_CARD = "14"
    NOT_FOUND = "25"
    FORMAT_ERROR = "30"
    LOST_CARD = "41"
    STOLEN_CARD = "43"
    INSUFFICIENT_FUNDS = "51"
    EXPIRED_CARD = "54"
    WRONG_PIN = "55"
    NOT_PERMITTED_TO_CARD = "57"
    NOT_PERMITTED_TO_TERMINAL = "58"
    ABOVE_AMOUNT_LIMIT = "61"
    RESTRICTED_CARD = "62"
    SECURITY_VIOLATION = "63"
    ABOVE_COUNT_LIMIT = "65"
    TOO_MANY_WRONG_PINS = "75"
    UNAVAILABLE = "91"
    DUPLICATE = "94"
    MALFUNCTION = "96"


RESPONSES: Final[Mapping[str, str]] = {
    ResponseCode.APPROVED: "approved",
    ResponseCode.INVALID_MERCHANT: "no such merchant, or it takes no payments now",
    ResponseCode.DO_NOT_HONOUR: "declined",
    ResponseCode.INVALID_TRANSACTION: "not a transaction that can be made here",
    ResponseCode.INVALID_AMOUNT: "not an amount that can be moved",
    ResponseCode.INVALID_CARD: "no such card",
    ResponseCode.NOT_FOUND: "the original is not found",
    ResponseCode.FORMAT_ERROR: "the message is malformed",
    ResponseCode.LOST_CARD: "the card was reported lost",
    ResponseCode.STOLEN_CARD: "the card was reported stolen",
    ResponseCode.INSUFFICIENT_FUNDS: "the balance does not cover it",
    ResponseCode.EXPIRED_CARD: "the card has expired",
    ResponseCode.WRONG_PIN: "the person was not verified",
    ResponseCode.NOT_PERMITTED_TO_CARD: "the card may not do this",
    ResponseCode.NOT_PERMITTED_TO_TERMINAL: "the terminal may not do this",
    ResponseCode.ABOVE_AMOUNT_LIMIT: "above an amount that is set as a limit",
    ResponseCode.RESTRICTED_CARD: "the card is suspended, blocked or out of use",
    ResponseCode.SECURITY_VIOLATION: "the MAC or the cryptogram is wrong",
    ResponseCode.ABOVE_COUNT_LIMIT: "more often than is set as a limit",
    ResponseCode.TOO_MANY_WRONG_PINS: "too many wrong codes",
    ResponseCode.UNAVAILABLE: "no answer in time, or not signed on; nothing was booked",
    ResponseCode.DUPLICATE: "the same number with other content",
    ResponseCode.MALFUNCTION: "a fault of the host; nothing was booked",
}
"""What each response code says."""


class NetworkCode(StrEnum):
    """Element 70 of a network management message: what it is for."""

    SIGN_ON = "001"
    SIGN_OFF = "002"
    KEY_CHANGE = "161"
    CUTOVER = "201"
    ECHO = "301"


NETWORK_CODES: Final[Mapping[str, str]] = {
    NetworkCode.SIGN_ON: "sign-on",
    NetworkCode.SIGN_OFF: "sign-off",
    NetworkCode.KEY_CHANGE: "key change",
    NetworkCode.CUTOVER: "cutover",
    NetworkCode.ECHO: "echo test",
}
"""What each network management information code says."""

TRANSACTIONS: Final = {
    "00": "purchase",
    "01": "cash withdrawal",
    "02": "debit adjustment",
    "09": "purchase with cashback",
    "20": "refund",
    "22": "credit adjustment",
    "30": "balance inquiry",
    "31": "balance inquiry",
}
"""The first two digits of the processing code, element 3. Only 00 and 20 are made here."""

ENTRY_MODES: Final = {
    "00": "unknown",
    "01": "typed",
    "02": "magnetic stripe",
    "03": "bar code",
    "05": "chip",
    "07": "contactless chip",
    "80": "magnetic stripe after a chip that failed",
    "81": "electronic commerce",
    "90": "magnetic stripe, whole track",
    "91": "contactless magnetic stripe",
}
"""The first two digits of element 22: how the card number got into the terminal."""

SETTLEMENT_CODES: Final = {"1": "in balance", "2": "out of balance", "3": "error"}
"""Element 66 of the answer to a reconciliation."""
