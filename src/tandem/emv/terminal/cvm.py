"""Cardholder verification: the card's list of methods, gone through (EMV Book 3, 10.5).

A contactless terminal of ours verifies nobody by itself: the device did it, or nobody has to. Two
methods can succeed: the **consumer device CVM**, code 20 of the range that payment systems have for
their own (Annex C3), if the card's transaction qualifiers say that the device verified the person;
and **no CVM**, if the amount needs none here.
"""

from typing import Final, NamedTuple

from tandem.emv.bits import CVM_CODES
from tandem.emv.tags import Tag
from tandem.emv.terminal.checks import CASH, PURCHASE_WITH_CASHBACK
from tandem.emv.terminal.entry import Prepared
from tandem.emv.terminal.outcome import Cvm
from tandem.emv.terminal.reading import CardFault, Values
from tandem.emv.terminal.settings import Terminal, Transaction
from tandem.emv.terminal.tvr import Tvr

NO_CVM: Final = 0x1F
DEVICE: Final = 0x20

_AIP_CVM: Final = 0x10
_CAPABLE_NO_CVM: Final = 0x08
_CTQ_DEVICE: Final = 0x80
_TTQ_DEVICE: Final = 0x40
_FAIL: Final = 0x00
_METHOD, _ELSE_NEXT = 0x3F, 0x40
_UNKNOWN, _FAILED, _SUCCESSFUL = b"\x00", b"\x01", b"\x02"
_NOT_PERFORMED: Final = b"\x3f\x00"
_AMOUNTS = 8
_SHORTEST: Final = 10


class Verified(NamedTuple):
    """What came of it: CVM results (9F34), bits of the TVR, and what is left to be done."""

    results: bytes
    tvr: Tvr
    cvm: Cvm
    performed: bool = True
    """Whether there was a list of methods to go through."""


class Asking(NamedTuple):
    """What the conditions of the rules go by."""

    values: Values
    prepared: Prepared
    terminal: Terminal
    transaction: Transaction

    def supports(self, method: int) -> bool:
        """Whether the terminal can do this for this payment."""
        if method == NO_CVM:
            capable = self.terminal.capabilities[1] & _CAPABLE_NO_CVM
            return bool(capable) and not self.prepared.cvm_required
        return method == DEVICE and bool(self.prepared.ttq[2] & _TTQ_DEVICE)


def device_verified(values: Values) -> bool:
    """Whether the card says that its device verified the person (CTQ, byte 2, bit 8)."""
    qualifiers = values.get(Tag.CTQ)
    return qualifiers is not None and bool(qualifiers[1] & _CTQ_DEVICE)


def verify(asking: Asking) -> Verified:
    """Go through the card's list. Raises `CardFault` for a list that does not divide.

    A card that has no list, or knows no verification, is fine where none is required.
    """
    values, required = asking.values, asking.prepared.cvm_required
    listed = values.get(Tag.CVM_LIST)
    if not values.need(Tag.AIP)[0] & _AIP_CVM or listed is None:
        if required:
            failed = _NOT_PERFORMED + _FAILED
            return Verified(failed, Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE, performed=False)
        return Verified(_NOT_PERFORMED + _UNKNOWN, Tvr.NOTHING, Cvm.NONE, performed=False)
    if len(listed) < _SHORTEST or len(listed) % 2:
        raise CardFault
    results, tvr = _NOT_PERFORMED + _FAILED, Tvr.NOTHING
    for at in range(_AMOUNTS, len(listed), 2):
        code, condition = listed[at], listed[at + 1]
        method = code & _METHOD
        if not _applies(asking, method, condition, listed):
            continue
        if method not in CVM_CODES:
            tvr |= Tvr.CVM_UNRECOGNISED
        elif asking.supports(method) and (method == NO_CVM or device_verified(values)):
            done = bytes((code, condition)) + _SUCCESSFUL
            return Verified(done, tvr, Cvm.NONE if method == NO_CVM else Cvm.DEVICE)
        results = bytes((code, condition)) + _FAILED
        if method == _FAIL or not code & _ELSE_NEXT:
            break
    return Verified(results, tvr | Tvr.CVM_FAILED, Cvm.NOT_APPLICABLE)


def _applies(asking: Asking, method: int, condition: int, listed: bytes) -> bool:
    """Whether a rule's condition holds (Annex C3); one that is not known does not."""
    if condition == 0x00:
        return True
    if condition == 0x03:  # noqa: PLR2004 -- if the terminal supports the method
        return asking.supports(method)
    if 0x06 <= condition <= 0x09:  # noqa: PLR2004 -- under or over one of the two amounts
        return _amount_applies(asking, condition, listed)
    kind, unattended = asking.transaction.type, asking.terminal.unattended
    return {
        0x01: kind == CASH and unattended,
        0x02: kind not in {CASH, PURCHASE_WITH_CASHBACK},
        0x04: kind == CASH and not unattended,
        0x05: kind == PURCHASE_WITH_CASHBACK,
    }.get(condition, False)


def _amount_applies(asking: Asking, condition: int, listed: bytes) -> bool:
    currency = asking.values.get(Tag.CARD_CURRENCY)
    if currency is None or int(currency.hex()) != asking.transaction.currency.number:
        return False
    amount = asking.transaction.amount
    x, y = int.from_bytes(listed[:4], "big"), int.from_bytes(listed[4:8], "big")
    return {0x06: amount < x, 0x07: amount > x, 0x08: amount < y, 0x09: amount > y}[condition]
