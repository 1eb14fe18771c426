"""Entry point: which applications may be used at all, and in which order (Contactless Book B, 3).

`prepare` is the pre-processing (3.1.1), before a card is there: it takes each combination's limits
to the amount. `candidates` is the combination selection (3.3.2), once the directory was read.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from tandem.emv.errors import Malformed
from tandem.emv.tags import Tag, fits
from tandem.emv.terminal.outcome import Alternate, Message, Outcome, Result, Start, UiStatus, Why
from tandem.emv.terminal.outcome import UiRequest as Ui
from tandem.emv.terminal.settings import Combination, Knowledge, Terminal, Transaction
from tandem.emv.tlv import Tlv, read_one

_OFFLINE_ONLY_READER: Final = 0x08
_ONLINE_REQUIRED, _CVM_REQUIRED = 0x80, 0x40
_LAST_PRIORITY: Final = 16
_DOMESTIC: Final = 0x80
_DOMESTIC_BYTES: Final = 3
_MAX_AID: Final = 16


@dataclass(frozen=True, slots=True)
class Prepared:
    """A combination that this amount may use, with its indicators (Book B, 3.1.1).

    `ttq` is what goes to the card: the combination's, with what is required for this payment.
    """

    combination: Combination
    ttq: bytes
    online_required: bool
    cvm_required: bool
    floor_limit_exceeded: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """The reader is ready for a card: `ui` says so, with the amount."""

    terminal: Terminal
    knowledge: Knowledge
    transaction: Transaction
    prepared: tuple[Prepared, ...]
    ui: Ui


class Candidate(NamedTuple):
    """An application of the card that the terminal takes. `name` is what to select."""

    prepared: Prepared
    aid: bytes
    name: bytes
    priority: int


def prepare(terminal: Terminal, transaction: Transaction, knowledge: Knowledge) -> Ready | Outcome:
    """Pre-processing: the reader made ready for a card, or the outcome if none could be taken."""
    found = tuple(
        prepared
        for combination in terminal.combinations
        if (prepared := _prepared(combination, terminal, transaction)) is not None
    )
    amount, currency = transaction.amount, transaction.currency
    if found:
        ui = Ui(Message.PRESENT_CARD, UiStatus.READY_TO_READ, amount=amount, currency=currency)
        return Ready(terminal, knowledge, transaction, found, ui)
    if terminal.contact_chip:
        return Outcome(
            Result.TRY_ANOTHER_INTERFACE,
            Why.NOT_ALLOWED,
            Ui(Message.INSERT_OR_SWIPE, UiStatus.PROCESSING_ERROR),
            start=Start.PREPROCESSING,
            alternate=Alternate.CONTACT_CHIP,
        )
    return Outcome(
        Result.END_APPLICATION,
        Why.NOT_ALLOWED,
        Ui(Message.NOT_AUTHORISED, UiStatus.PROCESSING_ERROR),
    )


def candidates(directory: bytes, prepared: tuple[Prepared, ...]) -> list[Candidate]:
    """The applications in a directory (FCI of the PPSE) that are taken, the first choice first.

    Of each entry every combination is tried that names its AID or the beginning of it, and the
    kernel that the card asks for. An entry that is not as it should be is passed over. Raises
    `Malformed` if the directory itself cannot be read.
    """
    fci = read_one(directory)
    discretionary = fci.first(Tag.FCI_PROPRIETARY, Tag.ISSUER_DISCRETIONARY)
    if fci.tag != Tag.FCI or discretionary is None:
        return []
    found = [
        candidate
        for entry in discretionary.children
        if entry.tag == Tag.APPLICATION_TEMPLATE
        for combination in prepared
        if (candidate := _candidate(entry, combination)) is not None
    ]
    return sorted(found, key=lambda candidate: candidate.priority)


def _prepared(
    combination: Combination, terminal: Terminal, transaction: Transaction
) -> Prepared | None:
    """The indicators of a combination for this amount, or None if it may not be used."""
    amount = transaction.amount
    limit = combination.transaction_limit
    offline_reader = terminal.offline_only or bool(combination.ttq[0] & _OFFLINE_ONLY_READER)
    if limit is not None and amount >= limit:
        return None
    if amount == 0 and (not combination.zero_amount or offline_reader):
        return None
    status_check = combination.status_check and amount == 10**transaction.currency.exponent
    floor = combination.floor_limit is not None and amount > combination.floor_limit
    online = floor or status_check or amount == 0
    cvm = combination.cvm_limit is not None and amount >= combination.cvm_limit
    ttq = bytearray(combination.ttq)
    ttq[1] &= ~(_ONLINE_REQUIRED | _CVM_REQUIRED)
    ttq[1] |= (_ONLINE_REQUIRED if online else 0) | (_CVM_REQUIRED if cvm else 0)
    return Prepared(combination, bytes(ttq), online, cvm, floor)


def _candidate(entry: Tlv, prepared: Prepared) -> Candidate | None:
    """The candidate that a directory entry and a combination make, or None (3.3.2.5)."""
    combination = prepared.combination
    aid = _value(entry, Tag.ADF_NAME)
    priority = _value(entry, Tag.PRIORITY) or b"\x00"
    if not fits(Tag.ADF_NAME, aid) or not fits(Tag.PRIORITY, priority):
        return None
    same = aid.startswith(combination.aid) if combination.partial else aid == combination.aid
    if not same or not _same_kernel(_value(entry, Tag.KERNEL_ID), combination.kernel_id):
        return None
    extended = _value(entry, Tag.EXTENDED_SELECTION) if combination.extended_selection else b""
    if len(aid + extended) > _MAX_AID:
        return None
    return Candidate(prepared, aid, aid + extended, priority[0] & 0x0F or _LAST_PRIORITY)


def _value(entry: Tlv, tag: int) -> bytes:
    found = entry.first(tag)
    return b"" if found is None else found.value


def _same_kernel(asked: bytes, ours: bytes) -> bool:
    """Whether a card's Kernel Identifier (9F2A) may be served (Book B, 3.3.2.5, steps C and D)."""
    if not ours or not asked or not any(asked[:1]):
        return True
    if asked[0] >= _DOMESTIC:
        return len(asked) >= _DOMESTIC_BYTES and asked[:_DOMESTIC_BYTES] == ours[:_DOMESTIC_BYTES]
    return asked[:1] == ours[:1]


def selected(response: bytes, candidate: Candidate) -> Tlv | None:
    """The FCI of a selected application, or None if it is not one or not of this candidate.

    Its DF name has to begin with the AID that was selected (Book 1, 12).
    """
    try:
        fci = read_one(response)
    except Malformed:
        return None
    name = fci.first(Tag.DF_NAME)
    if fci.tag != Tag.FCI or name is None or not name.value.startswith(candidate.aid):
        return None
    return fci if fits(Tag.DF_NAME, name.value) else None
