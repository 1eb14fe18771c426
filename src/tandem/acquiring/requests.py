"""From messages to typed requests. Pure.

What makes a payment happen once is made here. The **key** is the link, the class (second digit of
the type), the terminal, the trace number and the terminal's date (element 13, in the year that is
nearest). The **fingerprint** is an HMAC over what a repeat must not change; a plain hash of a card
number could be searched for. Times and the mark of a repeat are no part of it, since terminals
stamp repeats anew.
"""

import hmac
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar

from tandem.acquiring.elements import De
from tandem.acquiring.errors import AmountImpossible, MessageMalformed, TransactionUnknown
from tandem.acquiring.message import Message
from tandem.acquiring.model import (
    Advice,
    Authorisation,
    Card,
    CardRequest,
    MoneyRequest,
    Original,
    Purchase,
    Reconciliation,
    Refund,
    Request,
    Reversal,
    Totals,
)
from tandem.kernel import Invalid, currency_by_number

PURCHASE: Final = "00"
REFUND: Final = "20"
FINGERPRINT_KEY_BYTES: Final = 32
_YEAR_AND_MONTH: Final = re.compile(r"[0-9]{2}(?:0[1-9]|1[0-2])", re.ASCII)
_AMOUNT_DIGITS: Final = 12
_MIDNIGHT: Final = "000000"
_HALF_A_YEAR: Final = timedelta(days=182)
_NO_TYPE: Final = "0000"
_AUTHORISATION: Final = "0100"

_CONTENT: Final = (
    De.PROCESSING_CODE,
    De.AMOUNT,
    De.CURRENCY,
    De.SEQUENCE_NUMBER,
    De.MERCHANT,
    De.ORIGINAL,
    De.REPLACEMENT_AMOUNTS,
)
_CARD_CONTENT: Final = (De.ICC, De.RRN, De.AUTHORISATION_CODE)
"""What a repeat of a payment must not change, but a reversal may not know any more."""

TOTALS: Final = {
    De.CREDITS_NUMBER: "credits",
    De.CREDITS_REVERSED_NUMBER: "credits_reversed",
    De.DEBITS_NUMBER: "debits",
    De.DEBITS_REVERSED_NUMBER: "debits_reversed",
    De.AUTHORISATIONS_NUMBER: "authorisations",
    De.CREDITS_AMOUNT: "credits_amount",
    De.CREDITS_REVERSED_AMOUNT: "credits_reversed_amount",
    De.DEBITS_AMOUNT: "debits_amount",
    De.DEBITS_REVERSED_AMOUNT: "debits_reversed_amount",
}
"""The elements of a reconciliation, by what they are called in `Totals`."""

T = TypeVar("T", bound=CardRequest)


def read_request(message: Message, link: str, now: datetime, secret: bytes) -> Request:
    """The request that a message makes of the `Authoriser`.

    `now` in the terminals' zone says which year is meant; `secret` keys the fingerprint. Raises
    `MessageMalformed`, `TransactionUnknown`, `AmountImpossible`.
    """
    reader = _READERS.get(message.kind)
    if reader is None:
        raise TransactionUnknown(message.mti)
    return reader(message, link, now, secret)


def payment_key(link: str, mti: str, terminal: str, stan: str, day: date) -> str:
    """The key that a message is known by."""
    return f"{link}/{mti[1]}/{terminal}/{stan}/{day.isoformat()}"


def undo(request: MoneyRequest) -> Reversal:
    """The reversal by which the host takes back a request that it could not answer."""
    given: dict[str, Any] = {name: getattr(request, name) for name in _COMMON}
    given["key"] = f"{request.key}/undo"
    return Reversal(**given, original=Original(keys=(request.key,), rrn=request.rrn), by_host=True)


def rrn_of(message: Message, local_at: datetime) -> str:
    """Element 37, or if it was not sent: last digit of the year, day, hour, and trace number."""
    given = message.text(De.RRN)
    if given is not None:
        return given
    day = local_at.timetuple().tm_yday
    return f"{local_at.year % 10}{day:03d}{local_at.hour:02d}{_need(message, De.STAN)}"


def _money(message: Message, link: str, now: datetime, secret: bytes) -> dict[str, Any]:
    """What every message about a payment says."""
    processing = _need(message, De.PROCESSING_CODE)
    if processing[:2] not in {PURCHASE, REFUND}:
        raise TransactionUnknown(message.mti, processing)
    local_at = _local(message, now)
    terminal, stan = _need(message, De.TERMINAL).strip(), _need(message, De.STAN)
    return {
        "key": payment_key(link, message.mti, terminal, stan, local_at.date()),
        "fingerprint": _fingerprint(message, secret),
        "repeat": message.repeat,
        "link": link,
        "terminal": terminal,
        "merchant": _need(message, De.MERCHANT).strip(),
        "stan": stan,
        "rrn": rrn_of(message, local_at),
        "local_at": local_at,
        "processing_code": processing,
        "amount": int(_need(message, De.AMOUNT)),
        "currency": _currency(message, De.CURRENCY),
        "card": _card(message),
        "entry_mode": message.text(De.ENTRY_MODE) or "000",
        "category": message.text(De.CATEGORY),
        "condition": message.text(De.CONDITION),
        "acquirer": message.text(De.ACQUIRER),
        "location": message.text(De.LOCATION),
    }


_COMMON: Final = (
    "key", "fingerprint", "repeat", "link", "terminal", "merchant", "stan", "rrn", "local_at",
    "processing_code", "amount", "currency", "card", "entry_mode", "category", "condition",
    "acquirer", "location",
)  # fmt: skip


def _authorisation(message: Message, link: str, now: datetime, secret: bytes) -> Authorisation:
    request = Authorisation(**_money(message, link, now, secret))
    if request.processing_code[:2] != PURCHASE:
        raise TransactionUnknown(message.mti, request.processing_code)
    return _with_card(message, request)


def _financial(message: Message, link: str, now: datetime, secret: bytes) -> Purchase | Refund:
    given = _money(message, link, now, secret)
    kind = Purchase if given["processing_code"][:2] == PURCHASE else Refund
    return _something(_with_card(message, kind(**given)))


def _advice(message: Message, link: str, now: datetime, secret: bytes) -> Advice:
    given = _money(message, link, now, secret)
    original = None
    if message.text(De.ORIGINAL) is not None:
        original = _original(message, link, now)
        if original.mti != _AUTHORISATION:
            raise MessageMalformed(De.ORIGINAL, "of an advice must name an authorisation")
    advice = Advice(
        **given,
        original=original,
        authorisation_code=message.text(De.AUTHORISATION_CODE),
        response_code=message.text(De.RESPONSE_CODE),
    )
    return _something(advice if original else _with_card(message, advice))


def _reversal(message: Message, link: str, now: datetime, secret: bytes) -> Reversal:
    given = _money(message, link, now, secret)
    final, replaced = None, message.text(De.REPLACEMENT_AMOUNTS)
    if replaced is not None:
        digits = replaced[:_AMOUNT_DIGITS]
        if not (digits.isascii() and digits.isdigit()):
            raise MessageMalformed(De.REPLACEMENT_AMOUNTS, "does not begin with an amount")
        final = int(digits)
        if final > given["amount"]:
            raise AmountImpossible(final)
    return Reversal(
        **given,
        original=_original(message, link, now),
        final_amount=final,
        reason=message.text(De.RESPONSE_CODE),
    )


def _reconciliation(message: Message, link: str, now: datetime, secret: bytes) -> Reconciliation:
    del secret  # nothing is booked, so nothing happens twice
    day = message.text(De.SETTLEMENT_DATE)
    place = De.SETTLEMENT_CURRENCY if message.text(De.SETTLEMENT_CURRENCY) else De.CURRENCY
    claimed = {name: message.text(number) for number, name in TOTALS.items()}
    known = {name: int(text) for name, text in claimed.items() if text is not None}
    return Reconciliation(
        link=link,
        day=now.date() if day is None else _nearest(day, _MIDNIGHT, now, De.SETTLEMENT_DATE).date(),
        currency=_currency(message, place),
        terminal=_stripped(message, De.TERMINAL),
        merchant=_stripped(message, De.MERCHANT),
        claimed=Totals(**known) if known else None,
    )


_READERS: Final[dict[str, Callable[[Message, str, datetime, bytes], Request]]] = {
    "0100": _authorisation,
    "0200": _financial,
    "0220": _advice,
    "0400": _reversal,
    "0420": _reversal,
    "0500": _reconciliation,
    "0520": _reconciliation,
}


def _original(message: Message, link: str, now: datetime) -> Original:
    """What element 90 names; without it a message of the same trace number."""
    terminal = _need(message, De.TERMINAL).strip()
    local = _local(message, now).date()
    text = message.text(De.ORIGINAL)
    if text is None:
        stan = _need(message, De.STAN)
        keys = [payment_key(link, mti, terminal, stan, local) for mti in ("0200", "0100")]
        return Original(keys=tuple(keys), rrn=message.text(De.RRN))
    mti, stan, transmitted = text[:4], text[4:10], text[10:20]
    days = [local]
    if transmitted.strip("0"):
        # Sent near midnight or in another zone, it may have another date than the terminal's. One
        # that cannot be is no reason to refuse a reversal.
        sent = _moment(transmitted[:4], _MIDNIGHT, now)
        days += [sent.date()] if sent is not None and sent.date() != local else []
    types = ("0200", "0100") if mti == _NO_TYPE else (mti,)
    return Original(
        keys=tuple(payment_key(link, kind, terminal, stan, day) for day in days for kind in types),
        rrn=message.text(De.RRN),
        mti=None if mti == _NO_TYPE else mti,
        stan=stan,
        transmitted=transmitted,
    )


def _card(message: Message) -> Card:
    pan, track2 = message.text(De.PAN), message.text(De.TRACK2)
    expiry, sequence = message.text(De.EXPIRY), message.text(De.SEQUENCE_NUMBER)
    if track2 is not None:
        account, separator, rest = track2.partition("=")
        if not account or not separator:
            raise MessageMalformed(De.TRACK2, "has no account number with a separator behind it")
        if pan not in {None, account}:
            raise MessageMalformed(De.TRACK2, "is of another card than element 2")
        pan = account
        expiry = expiry or (rest[:4] if _YEAR_AND_MONTH.match(rest) else None)
    if expiry is not None and _YEAR_AND_MONTH.match(expiry) is None:
        raise MessageMalformed(De.EXPIRY, "is no year and month")
    return Card(
        pan=pan,
        expiry=expiry,
        sequence_number=None if sequence is None else int(sequence),
        track2=track2,
        icc=message.binary(De.ICC) or b"",
        pin_block=message.binary(De.PIN),
    )


def _with_card(message: Message, request: T) -> T:
    if message.text(De.PAN) or message.text(De.TRACK2) or message.text(De.ICC):
        return request
    raise MessageMalformed(De.PAN, "is missing, and so are elements 35 and 55")


def _something(request: T) -> T:
    amount: int = request.amount
    if amount < 1:
        raise AmountImpossible(amount)
    return request


def _fingerprint(message: Message, secret: bytes) -> bytes:
    reversal = message.mti[1] == "4"
    track2 = (message.text(De.TRACK2) or "").partition("=")[0]
    # A reversal that was a request and comes again as an advice is the same.
    parts = ["04" if reversal else message.kind, message.text(De.PAN) or track2]
    parts += [message.text(number) or "" for number in _CONTENT]
    if not reversal:
        parts += [message.text(number) or "" for number in _CARD_CONTENT]
    return hmac.digest(secret, "\x1f".join(parts).encode(), "sha256")


def _need(message: Message, number: De) -> str:
    value = message.text(number)
    if value is None or not value.strip():
        raise MessageMalformed(number, "is missing")
    return value


def _stripped(message: Message, number: De) -> str | None:
    return (message.text(number) or "").strip() or None


def _currency(message: Message, number: De) -> str:
    try:
        return currency_by_number(int(_need(message, number))).code
    except Invalid:
        raise MessageMalformed(number, "is not an ISO 4217 number") from None


def _local(message: Message, now: datetime) -> datetime:
    return _nearest(
        _need(message, De.LOCAL_DATE), _need(message, De.LOCAL_TIME), now, De.LOCAL_DATE
    )


def _nearest(day: str, clock: str, now: datetime, place: De) -> datetime:
    found = _moment(day, clock, now)
    if found is None:
        raise MessageMalformed(place, "is no date and time")
    return found


def _moment(day: str, clock: str, now: datetime) -> datetime | None:
    """The moment of a day MMDD and a time hhmmss, in the year that is nearest to now."""
    today = now.replace(tzinfo=None)
    found = _in_year(today.year, day, clock)
    if found is not None and abs(found - today) < _HALF_A_YEAR:
        return found
    others = (_in_year(year, day, clock) for year in (today.year - 1, today.year + 1))
    moments = [moment for moment in (found, *others) if moment is not None]
    return min(moments, key=lambda moment: abs(moment - today), default=None)


def _in_year(year: int, day: str, clock: str) -> datetime | None:
    """The moment in a year; None if there is no such day in it, or no such time."""
    try:
        return datetime(  # noqa: DTZ001 - a terminal's clock has no zone
            year, int(day[:2]), int(day[2:]), int(clock[:2]), int(clock[2:4]), int(clock[4:])
        )
    except ValueError:
        return None
