"""The `Authoriser` over the ledger: device cards of this Tandem, at its merchants' tills.

A terminal is a till by its link's settings (`tills`). A message's key is the idempotency key of
what it asks for, under the till's merchant: so a repeat gets the first answer, after a restart and
in another process too, and a reversal finds its original, or forestalls it. Answers are kept for 30
days.

A refund whose answer the till never heard is taken back from the person. If they do not have it any
more, the reversal is refused with 51, and what was given stays given.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from tandem.acquiring.codes import ResponseCode as Code
from tandem.acquiring.errors import TerminalUnknown
from tandem.acquiring.links import Link
from tandem.acquiring.model import (
    VERIFICATION,
    Advice,
    Authorisation,
    CardRequest,
    Outcome,
    Purchase,
    Reconciliation,
    Refund,
    Reversal,
    Totals,
)
from tandem.db import Idempotency, Pool
from tandem.kernel import Clock, NotFound, read_id
from tandem.merchants import load_place
from tandem.payments import (
    At,
    Capture,
    CardPayments,
    CardUnknown,
    NewTap,
    TapTotals,
    TapTrace,
    authorisation_code,
    tap_totals,
)
from tandem.settings import Settings

DECLINES: Final = {
    "card_not_active": Code.RESTRICTED_CARD,
    "card_suspended": Code.RESTRICTED_CARD,
    "card_blocked": Code.RESTRICTED_CARD,
    "card_lost": Code.LOST_CARD,
    "card_expired": Code.EXPIRED_CARD,
    "device_out_of_use": Code.RESTRICTED_CARD,
    "cryptogram_wrong": Code.SECURITY_VIOLATION,
    "cryptogram_replayed": Code.SECURITY_VIOLATION,
    "counter_ahead": Code.SECURITY_VIOLATION,
    "amount_differs": Code.SECURITY_VIOLATION,
    "currency_differs": Code.SECURITY_VIOLATION,
    "type_differs": Code.SECURITY_VIOLATION,
    "date_differs": Code.SECURITY_VIOLATION,
    "cryptogram_kind": Code.INVALID_TRANSACTION,
    "not_verified": Code.WRONG_PIN,
    "not_a_gate": Code.NOT_PERMITTED_TO_CARD,
    "currency_not_funded": Code.NOT_PERMITTED_TO_CARD,
    "issuer_away": Code.UNAVAILABLE,
    "issuer_silent": Code.UNAVAILABLE,
}
"""The response code of a payment that is declined, by its reason; any other is 05.

What is between a person and the operator (balance, limits, status) is 05, too: a shop learns that
the wallet cannot pay, and not why (docs/decisions/0011).
"""


def decline_code(reason: str) -> Code:
    """The response code of a payment by card that was declined for this reason."""
    return DECLINES.get(reason, Code.DO_NOT_HONOUR)


class _Payment(msgspec.Struct):
    id: str
    status: str
    decline_reason: str | None
    created_at: datetime


class _Tapped(msgspec.Struct):
    payment: _Payment | None
    reason: str | None
    issuer_answer: bytes | None


class _Refunded(msgspec.Struct):
    created_at: datetime


class _Till(NamedTuple):
    at: At
    link: str
    terminal: str

    def once(self, request: CardRequest) -> Idempotency:
        """What makes the request happen once."""
        return Idempotency(self.at.merchant_id, request.key, request.fingerprint)


class Books:
    """Decides and books what the host asks for."""

    def __init__(
        self,
        payments: CardPayments,
        pool: Pool,
        clock: Clock,
        settings: Settings,
        links: Iterable[Link],
    ) -> None:
        self._payments = payments
        self._pool = pool
        self._clock = clock
        self._settings = settings
        self._tills = {
            (link.name, terminal): read_id("til", till, "tills")
            for link in links
            for terminal, till in link.tills.items()
        }
        self._merchants: dict[UUID, UUID] = {}

    async def authorise(self, request: Authorisation) -> Outcome:
        """Reserve the amount on the card's account, or only see whether the card is good."""
        only_asks = request.amount == 0 or request.condition == VERIFICATION
        return await self._tap(request, capture=Capture.MANUAL, only_asks=only_asks)

    async def purchase(self, request: Purchase) -> Outcome:
        """Move the amount to the merchant."""
        return await self._tap(request)

    async def refund(self, request: Refund) -> Outcome:
        """Give it back to the payment that the card made under this retrieval reference number."""
        till = await self._till(request)
        if request.card.pan is None:
            raise CardUnknown
        done = await self._payments.refund_by_card(
            till.at.merchant_id,
            request.card.pan,
            request.rrn,
            request.amount,
            request.currency,
            till.once(request),
        )
        made = msgspec.json.decode(done.body, type=_Refunded)
        return Outcome(code=Code.APPROVED, settlement_date=self._day(made.created_at))

    async def advise(self, request: Advice) -> Outcome:
        """Book what was approved offline, or complete an authorisation."""
        if request.original is None:
            return await self._tap(request, offline=True)
        till = await self._till(request)
        for number, original in enumerate(request.original.keys, 1):
            try:
                done = await self._payments.complete(
                    till.at.merchant_id, original, request.amount, till.once(request)
                )
            except NotFound:
                if number == len(request.original.keys):
                    raise
                continue
            payment = msgspec.json.decode(done.body, type=_Payment)
            return self._paid(payment, payment.decline_reason, None)
        raise NotFound("payment", "without a key")

    async def reverse(self, request: Reversal) -> Outcome:
        """Undo the original, or see to it that it does nothing when it comes."""
        till = await self._till(request)
        await self._payments.reverse(
            till.at.merchant_id,
            request.original.keys,
            request.final_amount or 0,
            till.once(request),
        )
        return Outcome(code=Code.APPROVED, settlement_date=self._day(self._clock.now()))

    async def totals(self, request: Reconciliation) -> Totals:
        """The totals of a business day, by the moments at which the books took them.

        Of the link, or of one of its terminals. What an advice completed counts to the day of its
        authorisation. Authorisations are not counted by themselves.
        """
        since, until = self._bounds(request.day)
        async with self._pool.acquire() as connection:
            found: TapTotals = await tap_totals(
                connection, request.link, request.terminal, request.currency, since, until
            )
        return Totals(**found._asdict())

    async def _tap(
        self,
        request: Authorisation | Purchase | Advice,
        *,
        capture: Capture = Capture.AUTOMATIC,
        offline: bool = False,
        only_asks: bool = False,
    ) -> Outcome:
        till, card = await self._till(request), request.card
        if card.pan is None:
            raise CardUnknown
        new = NewTap(
            amount=request.amount,
            currency=request.currency,
            pan=card.pan,
            sequence=card.sequence_number,
            icc=card.icc,
            day=request.local_at.date(),
            trace=TapTrace(
                link=till.link, terminal=till.terminal, reference=request.key, rrn=request.rrn
            ),
            capture=capture,
            offline=offline,
            only_asks=only_asks,
        )
        done = await self._payments.pay_by_card(till.at, new, till.once(request))
        tapped = msgspec.json.decode(done.body, type=_Tapped)
        if tapped.payment is None:
            return self._asked(tapped)
        return self._paid(tapped.payment, tapped.reason, tapped.issuer_answer)

    def _asked(self, tapped: _Tapped) -> Outcome:
        """How a question about a card ended; nothing was paid, so it counts to no day."""
        code = Code.APPROVED if tapped.reason is None else decline_code(tapped.reason)
        return Outcome(code=code, icc=tapped.issuer_answer or b"")

    def _paid(self, payment: _Payment, reason: str | None, answer: bytes | None) -> Outcome:
        if reason is not None:
            return Outcome(code=decline_code(reason), icc=answer or b"")
        return Outcome(
            code=Code.APPROVED,
            authorisation_code=authorisation_code(payment.id),
            icc=answer or b"",
            settlement_date=self._day(payment.created_at),
        )

    async def _till(self, request: CardRequest) -> _Till:
        """Which till a terminal is. Raises `TerminalUnknown`."""
        till_id = self._tills.get((request.link, request.terminal))
        if till_id is None:
            raise TerminalUnknown(request.terminal)
        merchant_id = self._merchants.get(till_id)
        if merchant_id is None:
            async with self._pool.acquire() as connection:
                place = await load_place(connection, till_id=till_id)
            if place is None:
                raise TerminalUnknown(request.terminal)
            merchant_id = self._merchants[till_id] = place.merchant_id
        return _Till(At(merchant_id, till_id=till_id), request.link, request.terminal)

    def _day(self, moment: datetime) -> date:
        return self._settings.day_of(moment)

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        """When a day of the operator's calendar begins and ends."""
        zone = self._settings.timezone
        begin, end = (
            datetime.combine(at, time(), zone).astimezone(UTC)
            for at in (day, day + timedelta(days=1))
        )
        return begin, end
