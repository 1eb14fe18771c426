"""The data objects that are the terminal's: what it tells a card that asks by a list."""

from typing import Final

from tandem.emv.tags import Tag
from tandem.emv.terminal.entry import Candidate, Ready

_NO_CVM: Final = 0x08
_MERCHANT_ID, _TERMINAL_ID = 15, 8
_MAX_BINARY: Final = 0xFFFFFFFF
_SEQUENCE_DIGITS: Final = 8


def terminal_values(ready: Ready, candidate: Candidate, number: bytes) -> dict[int, bytes]:
    """Every value of this payment, by tag. TVR and CVM results are still empty."""
    terminal, transaction, prepared = ready.terminal, ready.transaction, candidate.prepared
    combination = prepared.combination
    capabilities = bytearray(terminal.capabilities)
    if prepared.cvm_required:
        capabilities[1] &= ~_NO_CVM
    floor = combination.floor_limit
    at = transaction.at
    return {
        Tag.TTQ: prepared.ttq,
        Tag.AMOUNT: _digits(transaction.amount, 12),
        Tag.AMOUNT_OTHER: _digits(transaction.other, 12),
        Tag.AID_TERMINAL: combination.aid,
        Tag.VERSION_TERMINAL: combination.version,
        Tag.MERCHANT_CATEGORY: _digits(terminal.merchant_category, 4),
        Tag.MERCHANT_ID: _text(terminal.merchant_id, _MERCHANT_ID),
        Tag.MERCHANT_NAME: terminal.merchant_name.encode("latin-1", "replace"),
        Tag.TERMINAL_COUNTRY: _digits(terminal.country, 4),
        Tag.TERMINAL_ID: _text(terminal.terminal_id, _TERMINAL_ID),
        Tag.TERMINAL_CAPABILITIES: bytes(capabilities),
        Tag.ADDITIONAL_CAPABILITIES: terminal.additional_capabilities,
        Tag.TERMINAL_TYPE: bytes((terminal.type,)),
        Tag.FLOOR_LIMIT: min(_MAX_BINARY if floor is None else floor, _MAX_BINARY).to_bytes(4),
        Tag.TRANSACTION_CURRENCY: _digits(transaction.currency.number, 4),
        Tag.TRANSACTION_CURRENCY_EXPONENT: _digits(transaction.currency.exponent, 2),
        Tag.TRANSACTION_DATE: bytes.fromhex(f"{at:%y%m%d}"),
        Tag.TRANSACTION_TIME: bytes.fromhex(f"{at:%H%M%S}"),
        Tag.TRANSACTION_TYPE: bytes((transaction.type,)),
        Tag.SEQUENCE_COUNTER: _digits(transaction.sequence % 10**_SEQUENCE_DIGITS, 8),
        Tag.UNPREDICTABLE_NUMBER: number,
        Tag.SERVICE_CONTEXT: bytes((combination.transit,)),
        Tag.TVR: bytes(5),
        Tag.CVM_RESULTS: bytes.fromhex("3F0000"),
    }


def _digits(number: int, count: int) -> bytes:
    return bytes.fromhex(f"{number:0{count}d}")


def _text(text: str, size: int) -> bytes:
    """Text with spaces on the right, cut to its length."""
    return text.encode("latin-1", "replace")[:size].ljust(size)
