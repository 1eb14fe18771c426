"""What is asked of issuers, as ISO 8583:1987. Pure.

| asked | type | element 3 | 90 | 95 |
|---|---|---|---|---|
| authorisation | 0100 | 00 | | |
| purchase | 0200 | 00 | | |
| completion | 0220 | 00 | authorisation | |
| refund | 0220 | 20 | authorisation or purchase | |
| reversal | 0420 | 00 | authorisation or purchase | what is left of it |
| may it be added | 0100 of nothing | 00 | | |
| bring a code | 0620 | | | |

The last two say in element 48 what they are for, as tags of two letters, two digits of length and a
value: `PU` TOKEN or CODE, `CV` the security code, `CD` the one-time code. Element 44 of an answer
may say where the cardholder is reached.
"""

from datetime import datetime
from typing import Final

from tandem.acquiring import De, Message
from tandem.cards import Acceptor, AskKind, CardDetails, Eligibility, IssuerAsked, IssuerOriginal
from tandem.kernel import currency

ADDITIONAL: Final = 44
_STANS: Final = 999_999
_RRNS: Final = 10**12
_MTI: Final = {
    AskKind.AUTHORISATION: "0100",
    AskKind.PURCHASE: "0200",
    AskKind.COMPLETION: "0220",
    AskKind.REFUND: "0220",
    AskKind.REVERSAL: "0420",
}
_PURCHASE, _REFUND = "000000", "200000"
_CONTACTLESS: Final = "071"
_NORMAL: Final = "00"
_ELIGIBLE: Final = {
    "00": Eligibility.APPROVED,
    "85": Eligibility.PROVE,
    "01": Eligibility.CALL,
}
"""Element 39 of the answer to an account check: 85 as networks use it in tokenisation."""


def trace_number(number: int) -> str:
    """Element 11: six digits that count up and begin anew."""
    return f"{(number - 1) % _STANS + 1:06d}"


def reference_number(number: int) -> str:
    """Element 37: twelve digits."""
    return f"{number % _RRNS:012d}"


def payment_message(asked: IssuerAsked, acquirer: str) -> Message:
    """The message that asks or tells about a payment; a repeat is marked as one."""
    mti = _MTI[asked.kind]
    if asked.attempts:
        mti = f"{mti[:3]}1"
    amount = asked.amount
    original = asked.original
    fields = {
        **_card(asked.card),
        **_named(asked.number, asked.sent_at, acquirer),
        **_at(asked.acceptor),
        De.PROCESSING_CODE: _REFUND if asked.kind is AskKind.REFUND else _PURCHASE,
        De.ENTRY_MODE: _CONTACTLESS,
        De.CONDITION: _NORMAL,
        De.CURRENCY: f"{currency(asked.currency).number:03d}",
    }
    if original is not None:
        fields[De.ORIGINAL] = _original(original, acquirer)
        fields[De.RRN] = reference_number(original.number)
        if original.authorisation_code is not None:
            fields[De.AUTHORISATION_CODE] = original.authorisation_code
        if asked.kind is AskKind.REVERSAL:
            fields[De.REPLACEMENT_AMOUNTS] = f"{amount:012d}".ljust(42, "0")
            amount = original.amount
    fields[De.AMOUNT] = f"{amount:012d}"
    return Message(mti, {int(n): value for n, value in fields.items()})


def check_message(number: int, card: CardDetails, now: datetime, acquirer: str) -> Message:
    """An account check: may this card be added?"""
    purpose = [("PU", "TOKEN")]
    if card.security_code is not None:
        purpose.append(("CV", card.security_code))
    fields = {
        **_card(card),
        **_named(number, now, acquirer),
        De.PROCESSING_CODE: _PURCHASE,
        De.AMOUNT: "0" * 12,
        De.ENTRY_MODE: "010",
        De.CONDITION: "51",
        De.PRIVATE: tagged(purpose),
    }
    return Message("0100", {int(n): value for n, value in fields.items()})


def code_message(
    number: int, card: CardDetails, code: str, now: datetime, acquirer: str
) -> Message:
    """A one-time code that the issuer is to bring to its cardholder."""
    fields = {
        **_card(card),
        **_named(number, now, acquirer),
        De.PRIVATE: tagged([("PU", "CODE"), ("CD", code)]),
    }
    return Message("0620", {int(n): value for n, value in fields.items()})


def eligibility(response: str) -> Eligibility:
    """What an issuer's answer to an account check says."""
    return _ELIGIBLE.get(response, Eligibility.REFUSED)


def tagged(values: list[tuple[str, str]]) -> str:
    """Element 48: tag, length, value."""
    return "".join(f"{tag}{len(value):02d}{value}" for tag, value in values)


def read_tagged(text: str) -> dict[str, str]:
    """Element 48 taken apart; what does not divide is left out."""
    found: dict[str, str] = {}
    while len(text) >= 4 and text[2:4].isascii() and text[2:4].isdigit():  # noqa: PLR2004 - tag and length
        end = 4 + int(text[2:4])
        found[text[:2]], text = text[4:end], text[end:]
    return found


def _card(card: CardDetails) -> dict[De, str]:
    return {De.PAN: card.pan, De.EXPIRY: card.expiry}


def _named(number: int, sent_at: datetime, acquirer: str) -> dict[De, str]:
    """What names a message: the same in each repeat."""
    return {
        De.TRANSMITTED_AT: f"{sent_at:%m%d%H%M%S}",
        De.STAN: trace_number(number),
        De.LOCAL_TIME: f"{sent_at:%H%M%S}",
        De.LOCAL_DATE: f"{sent_at:%m%d}",
        De.ACQUIRER: acquirer,
        De.RRN: reference_number(number),
    }


def _at(acceptor: Acceptor) -> dict[De, str]:
    """Who takes the payment: ids by their last digits, names in letters that the wire has."""
    name, city = _plain(acceptor.name), _plain(acceptor.city)
    return {
        De.CATEGORY: acceptor.category,
        De.TERMINAL: acceptor.place.hex[-8:].upper(),
        De.MERCHANT: acceptor.merchant_id.hex[-15:].upper(),
        De.LOCATION: f"{name[:22]:22} {city[:13]:13}  {acceptor.country[:2]:2}",
    }


def _plain(text: str) -> str:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def _original(original: IssuerOriginal, acquirer: str) -> str:
    """Element 90: type, trace number, time, and the institutions."""
    return (
        f"{_MTI[original.kind]}{trace_number(original.number)}"
        f"{original.sent_at:%m%d%H%M%S}{acquirer:0>11}{'':0>11}"
    )
