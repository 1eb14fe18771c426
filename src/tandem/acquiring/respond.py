"""From outcomes to the messages that answer. Pure.

An answer repeats what names the payment and adds how it ended. It never repeats the card's number,
unless the link's settings say so (`echo`).
"""

from collections.abc import Iterable
from datetime import date
from typing import Final

from tandem.acquiring.codes import ResponseCode
from tandem.acquiring.elements import De
from tandem.acquiring.message import Message, response_mti
from tandem.acquiring.model import MoneyRequest, Outcome, Reconciliation, Totals
from tandem.acquiring.requests import TOTALS
from tandem.kernel import currency

_ECHO: Final[tuple[int, ...]] = (
    De.PROCESSING_CODE,
    De.AMOUNT,
    De.TRANSMITTED_AT,
    De.STAN,
    De.LOCAL_TIME,
    De.LOCAL_DATE,
    De.NETWORK,
    De.CONDITION,
    De.ACQUIRER,
    De.RRN,
    De.TERMINAL,
    De.MERCHANT,
    De.CURRENCY,
    De.SETTLEMENT_CURRENCY,
    De.NETWORK_CODE,
    De.ORIGINAL,
)
_AMOUNTS: Final = frozenset(
    {De.CREDITS_AMOUNT, De.CREDITS_REVERSED_AMOUNT, De.DEBITS_AMOUNT, De.DEBITS_REVERSED_AMOUNT}
)
_IN_BALANCE, _OUT_OF_BALANCE = "1", "2"


def answer(message: Message, code: ResponseCode, echo: Iterable[int] = ()) -> Message:
    """The answer that says nothing but how it ended."""
    given = message.fields
    fields = {number: given[number] for number in (*_ECHO, *echo) if number in given}
    fields[De.RESPONSE_CODE] = code.value
    return Message(response_mti(message.mti), fields)


def with_fields(message: Message, fields: dict[int, str]) -> Message:
    """The message with more elements."""
    return Message(message.mti, {**message.fields, **fields})


def answer_money(
    message: Message, request: MoneyRequest, outcome: Outcome, echo: Iterable[int] = ()
) -> Message:
    """The answer to a payment, an advice or a reversal."""
    fields: dict[int, str] = {De.RRN: request.rrn}
    if outcome.authorisation_code is not None:
        fields[De.AUTHORISATION_CODE] = outcome.authorisation_code
    if outcome.icc:
        fields[De.ICC] = outcome.icc.hex().upper()
    if outcome.settlement_date is not None:
        fields[De.SETTLEMENT_DATE] = month_and_day(outcome.settlement_date)
    return with_fields(answer(message, outcome.code, echo), fields)


def answer_totals(
    message: Message, request: Reconciliation, totals: Totals, echo: Iterable[int] = ()
) -> Message:
    """The answer to a reconciliation: the host's totals, and whether they are the sender's."""
    same = request.claimed is None or totals.agrees(request.claimed)
    number = f"{currency(request.currency).number:03d}"
    fields = {
        int(place): f"{getattr(totals, name) or 0:0{16 if place in _AMOUNTS else 10}d}"
        for place, name in TOTALS.items()
    }
    fields[De.SETTLEMENT_DATE] = month_and_day(request.day)
    fields[De.SETTLEMENT_CURRENCY] = number
    fields[De.SETTLEMENT_CODE] = _IN_BALANCE if same else _OUT_OF_BALANCE
    fields[De.NET_AMOUNT] = f"{'D' if totals.net >= 0 else 'C'}{abs(totals.net):016d}"
    return with_fields(answer(message, ResponseCode.APPROVED, echo), fields)


def month_and_day(day: date) -> str:
    """MMDD, as element 15 has it."""
    return f"{day:%m%d}"
