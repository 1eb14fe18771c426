"""Payments as the operator reads them: whoever's they are, with the entries behind each."""

from uuid import UUID

from tandem.db import Pool
from tandem.kernel import NotFound, currency, show_id
from tandem.ledger import TransferRow, transfers_for
from tandem.payments.decisions import paying_account
from tandem.payments.model import Payment
from tandem.payments.search import PaymentFilter, list_payments
from tandem.payments.store import payment_by_id, tap_of
from tandem.payments.taps import CardTap


class PaymentRecords:
    """Reads payments; nothing is changed here."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, payment_id: UUID) -> Payment:
        """A payment. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            payment = await payment_by_id(connection, payment_id)
        if payment is None:
            raise NotFound("payment", show_id("pay", payment_id))
        return payment

    async def search(self, wanted: PaymentFilter, before: UUID | None, limit: int) -> list[Payment]:
        """Payments, newest first, older than `before`."""
        async with self._pool.acquire() as connection:
            return await list_payments(connection, wanted, before, limit)

    async def tap(self, payment_id: UUID) -> CardTap | None:
        """The tap of a device card that made a payment; None if it was paid in another way."""
        async with self._pool.acquire() as connection:
            return await tap_of(connection, payment_id)

    async def booked(self, payment: Payment) -> list[TransferRow]:
        """The transfers of all entries that were booked for a payment, in order.

        Looks through the payer's account, which every one of them moves.
        """
        if payment.person_id is None:
            return []
        account = paying_account(payment, payment.person_id, currency(payment.currency))
        async with self._pool.acquire() as connection:
            return await transfers_for(connection, payment.id, account.id)
