"""The chart of accounts: which kinds there are, and what each may do (docs/ledger.md)."""

from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from tandem.kernel import Currency, Invalid, read_id, uuid_of

OPERATOR_ID: Final = uuid_of(0x00000000_0000_7000_8000_000000000000)
"""The owner of the operator's own accounts."""

_LOW_BITS: Final = 0xFFFF
_CODE_BITS: Final = 0x3F


DEBITS_MUST_NOT_EXCEED_CREDITS: Final = 1
CREDITS_MUST_NOT_EXCEED_DEBITS: Final = 2
"""What an account's flags forbid, in TigerBeetle's terms; its `overdraft` loosens it by an amount.
Plain integers: every transfer tests them, and an IntFlag takes microseconds to."""


class AccountCode(IntEnum):
    """The kinds of account."""

    BANK = 1
    """Asset: what the operator has at its bank. Top-ups debit it, payouts credit it."""
    PERSON = 2
    """Liability: what the operator owes a person, the balance of a wallet."""
    MERCHANT = 3
    """Liability: what the operator owes a merchant; with an overdraft, what it owes us."""
    FEES = 4
    """Income: what merchants have paid for payments."""
    ISSUER = 5
    """Asset: what an issuer owes for payments by its cards. Refunds may turn it round."""
    PACKET = 6
    """Liability: what is left in a red packet, for whoever opens it or for its maker."""

    @property
    def flags(self) -> int:
        """What accounts of this kind forbid."""
        if self is AccountCode.ISSUER:
            return 0
        if self is AccountCode.BANK:
            return CREDITS_MUST_NOT_EXCEED_DEBITS
        return DEBITS_MUST_NOT_EXCEED_CREDITS


class TransferCode(IntEnum):
    """Why money moved."""

    TOP_UP = 1
    PAYOUT = 2
    PAYMENT = 3
    FEE = 4
    REFUND = 5
    SEND = 6
    WITHDRAWAL = 7
    """A person's money, or the operator's income, goes to their bank."""
    CORRECTION = 8
    """What was booked by hand, and wrongly, is taken back."""
    SETTLEMENT = 9
    """An issuer paid what it owed for its cards, or was paid what it was owed for refunds."""
    PACKET = 10
    """A person puts money into a red packet."""
    PACKET_SHARE = 11
    """Somebody opens it and gets a share."""
    PACKET_RETURN = 12
    """What nobody opened goes back to its maker."""


OBJECTS: Final = {
    TransferCode.TOP_UP: "top",
    TransferCode.PAYOUT: "pyt",
    TransferCode.PAYMENT: "pay",
    TransferCode.FEE: "pay",
    TransferCode.REFUND: "pay",
    TransferCode.SEND: "snd",
    TransferCode.WITHDRAWAL: "wdr",
    TransferCode.CORRECTION: "cor",
    TransferCode.SETTLEMENT: "ist",
    TransferCode.PACKET: "pkt",
    TransferCode.PACKET_SHARE: "pkt",
    TransferCode.PACKET_RETURN: "pkt",
}
"""The prefix of the ids of what transfers are made for: their `reference`."""


class AccountKey(NamedTuple):
    """Names an account: whose it is, in which currency's ledger (ISO 4217 number), of which kind.

    Its id follows from these three, so nobody looks an account up, and a second one for the same
    three cannot exist: the owner's UUIDv7 with its last 16 bits replaced by ledger and code.
    """

    owner_id: UUID
    ledger: int
    code: AccountCode
    id: UUID

    @staticmethod
    def of(owner_id: UUID, unit: Currency, code: AccountCode) -> "AccountKey":
        """The key of an owner's account in a currency."""
        return _account_key(owner_id, unit.number, code)


@lru_cache(maxsize=100_000)
def _account_key(owner_id: UUID, ledger: int, code: AccountCode) -> AccountKey:
    account_id = uuid_of((owner_id.int & ~_LOW_BITS) | ledger << 6 | code)
    return AccountKey(owner_id, ledger, code, account_id)


def accounts_between(owner_id: UUID) -> tuple[UUID, UUID]:
    """The first and the last id that an account of an owner can have: they are one range."""
    first = owner_id.int & ~_LOW_BITS
    return UUID(int=first), UUID(int=first | _LOW_BITS)


def kind_of(account_id: UUID) -> AccountCode:
    """The kind of an account, which its id says."""
    return AccountCode(account_id.int & _CODE_BITS)


def bank(unit: Currency) -> AccountKey:
    """The operator's account at its bank."""
    return _account_key(OPERATOR_ID, unit.number, AccountCode.BANK)


def fees(unit: Currency) -> AccountKey:
    """The operator's income from fees."""
    return _account_key(OPERATOR_ID, unit.number, AccountCode.FEES)


def person(person_id: UUID, unit: Currency) -> AccountKey:
    """A person's balance."""
    return _account_key(person_id, unit.number, AccountCode.PERSON)


def merchant(merchant_id: UUID, unit: Currency) -> AccountKey:
    """A merchant's balance."""
    return _account_key(merchant_id, unit.number, AccountCode.MERCHANT)


def issuer(issuer_id: UUID, unit: Currency) -> AccountKey:
    """What an issuer owes for payments by its cards."""
    return AccountKey.of(issuer_id, unit, AccountCode.ISSUER)


def packet(packet_id: UUID, unit: Currency) -> AccountKey:
    """What is left in a red packet: an account of its own, so none pays out more than it holds."""
    return AccountKey.of(packet_id, unit, AccountCode.PACKET)


def read_account(text: str, unit: Currency) -> UUID:
    """The id of the account that people name: a person's, a merchant's, or one of our own.

    `ppl_…`, `mer_…`, `iss_…`, `pkt_…`, `bank` and `fees` name the account in this currency,
    `acc_…` the account itself. Raises `Invalid`.
    """
    if text in {"bank", "fees"}:
        return (bank if text == "bank" else fees)(unit).id
    if text.startswith("ppl_"):
        return person(read_id("ppl", text, "account"), unit).id
    if text.startswith("mer_"):
        return merchant(read_id("mer", text, "account"), unit).id
    if text.startswith("iss_"):
        return issuer(read_id("iss", text, "account"), unit).id
    if text.startswith("pkt_"):
        return packet(read_id("pkt", text, "account"), unit).id
    if text.startswith("acc_"):
        return read_id("acc", text, "account")
    raise Invalid(
        "account",
        "give a person (@handle or ppl_…), a merchant (mer_…), an issuer (iss_…), a packet "
        "(pkt_…), acc_…, bank or fees",
    )
