"""The check of a tap: whether a card's cryptogram stands behind what the terminal asks. Pure.

In this order, because what comes first must not depend on what comes later:

1. a card that was never handed out says nothing, nor does one that is over, but of what comes late;
2. the key index and version in 9F10 are those that the vault gave the card: its own word chooses
   no weaker one; and the cryptogram is the card's over exactly this data. A wrong one is counted,
   and the card blocked at `WRONG_MAX` of them in a row;
3. its number (ATC) is new. From here on it is used up, whatever comes of the payment: a tap that is
   declined because the card is suspended cannot be tried again when it is resumed;
4. amount, currency, type and date are those of the message that the cryptogram came in, and it is
   of the kind that such a message carries;
5. card and person may pay: status, last day, verification, and the rules of gates, which hold for
   merchants of public transport only.

**What comes late** has happened: the card approved it offline, or a gate let its holder through
though nobody answered, and keeps what the card asked (an ARQC) to send it on. It is judged by its
day, which the cryptogram covers. It is taken if it was made on or before the day on which the card
stopped to pay (suspended, removed, renewed), and before the day on which it was said to be lost or
was blocked: then somebody else may have held it.

**The window of numbers.** A payment online must have a number above every one that was seen, by at
most `AHEAD` (torn taps use numbers up that nobody sees), unless the operator has restored the card
since: a hostile reader can use up more. What comes late does so in any order: it may lie up to
`BEHIND` below the highest or anywhere above it, and each number counts once (as RFC 4303, 3.4.3,
has it for packets).
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Final, NamedTuple

import msgspec

from tandem.cards.keys import MasterKey
from tandem.cards.model import LIFE, CardCommand, CardStatus, DeviceCard, moved
from tandem.emv.application_data import CryptogramType, IssuerApplicationData
from tandem.emv.card import Limits
from tandem.emv.cryptograms import (
    CRYPTOGRAM_BYTES,
    ArpcMethod,
    CryptogramData,
    cryptogram_matches,
    issuer_authentication_data,
)
from tandem.emv.errors import CryptogramDataInvalid, EmvRefused
from tandem.emv.tags import Tag
from tandem.emv.tlv import Limits as TlvLimits
from tandem.emv.tlv import primitive, read
from tandem.kernel import Invalid

WRONG_MAX: Final = 5
"""Wrong cryptograms in a row that block a card."""
AHEAD: Final = 1000
BEHIND: Final = 62
"""How far below the highest number one that comes late may lie."""
PURCHASE: Final = 0x00
TRANSIT_CATEGORIES: Final = frozenset({"4111", "4112", "4131"})
"""Merchants of public transport (ISO 18245): local transport, railways, buses."""

_SEEN: Final = (1 << BEHIND) - 1
_ANYWHERE: Final = 1 << BEHIND
"""The bit of `seen` above those of numbers: the next online above the highest may be any."""
_MAX_ICC: Final = 255
_LIVE: Final = frozenset(
    {CardStatus.ACTIVE, CardStatus.SUSPENDED, CardStatus.LOST, CardStatus.BLOCKED}
)
_OVER: Final = frozenset({CardStatus.REMOVED, CardStatus.REPLACED})
_APPROVED_CSU: Final = bytes.fromhex("00820000")
"""Approved online; the offline counters begin anew (EMV Book 3, Annex C10)."""
_DECLINED_CSU: Final = bytes.fromhex("00080000")
"""Declined; the card asks again before it approves anything by itself."""
_TAGS: Final = {
    "amount": Tag.AMOUNT,
    "amount_other": Tag.AMOUNT_OTHER,
    "country": Tag.TERMINAL_COUNTRY,
    "tvr": Tag.TVR,
    "currency": Tag.TRANSACTION_CURRENCY,
    "date": Tag.TRANSACTION_DATE,
    "type": Tag.TRANSACTION_TYPE,
    "unpredictable_number": Tag.UNPREDICTABLE_NUMBER,
    "aip": Tag.AIP,
    "atc": Tag.ATC,
    "application_data": Tag.ISSUER_APPLICATION_DATA,
}


class Tap(msgspec.Struct, frozen=True, kw_only=True):
    """What the chip said, as the terminal passes it on (ISO 8583, element 55)."""

    data: CryptogramData
    cryptogram: bytes
    kind: CryptogramType
    card: IssuerApplicationData

    @property
    def atc(self) -> int:
        """The number of the transaction."""
        return int.from_bytes(self.data.atc, "big")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The message that a tap came in: what it asks for, apart from what the chip said.

    `currency` is the ISO 4217 number, `day` the terminal's date. `offline`: the terminal approved
    it by itself, or let somebody through a gate, and tells us so: it comes late. `transit`: the
    merchant is one of public transport. `limits` are the card's own, in minor units of `currency`.
    """

    amount: int
    currency: int
    day: date
    limits: Limits
    offline: bool = False
    transit: bool = False


class Verdict(NamedTuple):
    """What the check came to: the card's row afterwards, and why it cannot pay (None: it can).

    `proved`: the card made this cryptogram, and it is its first time here.
    """

    card: DeviceCard
    reason: str | None
    proved: bool


def read_tap(icc: bytes) -> Tap:
    """Read element 55. Raises `Invalid` if something is missing, there twice, or malformed."""
    if len(icc) > _MAX_ICC:
        raise Invalid("icc", f"has more than {_MAX_ICC} bytes")
    try:
        objects = read(icc, TlvLimits(_MAX_ICC, 64, 2))
        values = {one.tag: one.value for one in objects}
        if len(values) != len(objects):
            raise Invalid("icc", "has a data object twice")
        data = CryptogramData(**{name: values[tag] for name, tag in _TAGS.items()})
        card = IssuerApplicationData.parse(data.application_data)
        (information,) = values[Tag.CRYPTOGRAM_INFORMATION]
        cryptogram = values[Tag.CRYPTOGRAM]
        kind = CryptogramType(information >> 6)
    except KeyError as error:
        raise Invalid("icc", f"has no {error.args[0]:X}") from None
    except CryptogramDataInvalid as error:
        raise Invalid("icc", f"{error.field} has not its length") from None
    except (EmvRefused, ValueError):
        raise Invalid("icc", "is not the data of a card of ours") from None
    if len(cryptogram) != CRYPTOGRAM_BYTES:
        raise Invalid("icc", "9F26 has not its length")
    return Tap(data=data, cryptogram=cryptogram, kind=kind, card=card)


def check_tap(
    card: DeviceCard,
    master: MasterKey,
    key: bytes,
    tap: Tap,
    asked: Asked,
    now: datetime,
    day_of: Callable[[datetime], date],
) -> Verdict:
    """Whether this tap pays what is asked. `key` is the card's, made from `master`.

    `day_of` tells the operator's calendar day of a moment.
    """
    heard = _LIVE | _OVER if asked.offline else _LIVE
    if card.status not in heard or card.delivered_at is None:
        return Verdict(card, "card_not_active", proved=False)
    if not _made_by(card, master, key, tap):
        return _wrong(card, now)
    if not _is_new(card, tap.atc, offline=asked.offline):
        ahead = tap.atc > card.atc
        return Verdict(card, "counter_ahead" if ahead else "cryptogram_replayed", proved=False)
    card = _used(card, tap.atc, now, offline=asked.offline)
    return Verdict(card, _differs(tap, asked) or _forbids(card, tap, asked, day_of), proved=True)


def anywhere_ahead(card: DeviceCard) -> DeviceCard:
    """The card's row when its next number online may be any above the highest; for one."""
    return msgspec.structs.replace(card, seen=card.seen | _ANYWHERE)


def issuer_answer(master: MasterKey, key: bytes, tap: Tap, *, approved: bool) -> bytes:
    """Issuer Authentication Data (91) as TLV, for the device to give to its card.

    Only to a cryptogram that was right: anything else would help who guesses.
    """
    version = master.cryptogram_version
    if version.arpc is ArpcMethod.ONE:
        answer = b"00" if approved else b"05"
    else:
        answer = _APPROVED_CSU if approved else _DECLINED_CSU
    proof = issuer_authentication_data(version, key, tap.data.atc, tap.cryptogram, answer)
    return primitive(Tag.ISSUER_AUTHENTICATION_DATA, proof).raw


def _made_by(card: DeviceCard, master: MasterKey, key: bytes, tap: Tap) -> bool:
    given = (tap.card.key_index, tap.card.version.number)
    if given != (card.key_index, card.version) or master.index != card.key_index:
        return False
    return cryptogram_matches(master.cryptogram_version, key, tap.data, tap.cryptogram)


def _wrong(card: DeviceCard, now: datetime) -> Verdict:
    wrong = min(card.wrong_cryptograms + 1, WRONG_MAX)
    counted = msgspec.structs.replace(card, wrong_cryptograms=wrong, updated_at=now)
    if wrong >= WRONG_MAX and (CardStatus(card.status), CardCommand.BLOCK) in LIFE:
        counted = moved(counted, CardCommand.BLOCK, "vault", now)
    return Verdict(counted, "cryptogram_wrong", proved=False)


def _is_new(card: DeviceCard, atc: int, *, offline: bool) -> bool:
    if atc > card.atc:
        return offline or atc - card.atc <= AHEAD or bool(card.seen & _ANYWHERE)
    behind = card.atc - 1 - atc
    return offline and 0 <= behind < BEHIND and not card.seen >> behind & 1


def _used(card: DeviceCard, atc: int, now: datetime, *, offline: bool) -> DeviceCard:
    """The card's row with this number used up, and no wrong ones in a row any more."""
    highest = max(atc, card.atc)
    if atc > card.atc:
        shift = atc - card.atc
        seen = (card.seen << shift | 1 << (shift - 1)) & _SEEN
        if offline:  # it needed no leave to be far ahead, and leaves it to what is paid next
            seen |= card.seen & _ANYWHERE
    else:
        seen = card.seen | 1 << (card.atc - 1 - atc)
    return msgspec.structs.replace(
        card, atc=highest, seen=seen, wrong_cryptograms=0, updated_at=now
    )


def _differs(tap: Tap, asked: Asked) -> str | None:
    """What of the message is not what the card stands behind."""
    data = tap.data
    said = (
        (data.amount, f"{asked.amount:012d}", "amount_differs"),
        (data.amount_other, "0" * 12, "amount_differs"),
        (data.currency, f"{asked.currency:04d}", "currency_differs"),
        (data.type, f"{PURCHASE:02d}", "type_differs"),
        (data.date, f"{asked.day:%y%m%d}", "date_differs"),
    )
    for value, digits, reason in said:
        if value.hex() != digits:
            return reason
    # 9F27 is not covered by the cryptogram; what the card says of it in 9F10 is.
    if tap.kind is not tap.card.results.cryptogram:
        return "cryptogram_kind"
    if tap.kind is CryptogramType.AAC:
        return "declined_by_card"
    if asked.offline:
        # A gate that got no answer sends on what the card asked; any other terminal declines.
        fits = tap.kind is CryptogramType.TC or tap.card.results.transit
    else:
        fits = tap.kind is CryptogramType.ARQC
    return None if fits else "cryptogram_kind"


def _forbids(
    card: DeviceCard, tap: Tap, asked: Asked, day_of: Callable[[datetime], date]
) -> str | None:
    """Why the card may not pay, though it made the cryptogram."""
    pays = card.status == CardStatus.ACTIVE
    if not pays and not (asked.offline and _paid_on(card, asked.day, day_of)):
        return "card_not_active" if card.status in _OVER else f"card_{card.status}"
    if not card.effective <= asked.day <= card.expiry:
        return "card_expired"
    results = tap.card.results
    if results.transit:
        if not asked.transit:
            return "not_a_gate"
        return "not_verified" if asked.amount > asked.limits.transit_amount else None
    if not results.verified and asked.amount > asked.limits.unverified_amount:
        return "not_verified"
    return None


def _paid_on(card: DeviceCard, day: date, day_of: Callable[[datetime], date]) -> bool:
    """Whether a card that pays no more still paid on this day."""
    if card.stopped_at is None or day > day_of(card.stopped_at):
        return False
    return card.lost_at is None or day < day_of(card.lost_at)
