"""The use cases of payments: read what a command needs, give the journal its entry.

What is cached here (shops with their terms, payers' terms, devices' seeds) is checked when an entry
is written against the terms' versions on the account rows: a cache can be old but never decides.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tandem.codes import PayCodeExpired, PayCodeInvalid, paycode
from tandem.codes.paycode import Mark
from tandem.db import Idempotency, Pool, work
from tandem.kernel import Clock, Entropy, Ids, Lru, NotFound, Refused, clean_note, show_id
from tandem.keyring import KeyRing
from tandem.ledger import Entry, Journal, Outcome, TransferCode, due_reservations, submit_fresh
from tandem.merchants import Way
from tandem.payments.codes import new_token
from tandem.payments.decisions import Rules, Shop
from tandem.payments.entries import (
    Beside,
    ByMerchant,
    ByPerson,
    CreateOrder,
    GiveBack,
    PayStatic,
    PayWithCode,
)
from tandem.payments.errors import CodePaused
from tandem.payments.model import Command, NewPayment, Payment, Refunder, RefundNow
from tandem.payments.reading import ShopCodes
from tandem.payments.search import PaymentFilter, bounded, list_payments
from tandem.payments.store import due_payments, payment_by_id, refunds_of_payment
from tandem.payments.throttle import WrongCodes
from tandem.people import (
    Confirmed,
    Device,
    PersonTerms,
    Spending,
    count_wrong_code,
    device_by_code_index,
    load_terms,
    open_seed,
)
from tandem.settings import Settings
from tandem.tags import Tags, TagTap

CACHED_PEOPLE: Final = 100_000
DUE_AT_ONCE: Final = 200


class At(msgspec.Struct, frozen=True):
    """Where a merchant takes a payment: one of these."""

    merchant_id: UUID
    shop_id: UUID | None = None
    till_id: UUID | None = None


class Payments(ShopCodes):
    """Takes payments by scan, both ways, and leads them through their life."""

    def __init__(
        self,
        pool: Pool,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        keyring: KeyRing,
        settings: Settings,
        tags: Tags,
    ) -> None:
        super().__init__(pool, clock, settings, tags)
        self._journal = journal
        self._ids = ids
        self._entropy = entropy
        self._keyring = keyring
        self._rules = Rules(
            settings.wallet,
            Spending(settings.limit_per_payment, settings.limit_per_day),
            settings.confirm_above,
            settings.confirm_seconds,
            settings.authorisation_seconds,
        )
        self._people: Lru[UUID, PersonTerms] = Lru(CACHED_PEOPLE)
        self._devices: Lru[int, Device] = Lru(CACHED_PEOPLE)
        self._wrong_codes = WrongCodes()

    # -- a merchant asks -------------------------------------------------------------------------

    async def create_order(
        self,
        at: At,
        new: NewPayment,
        idempotency: Idempotency | None,
        *,
        expires_seconds: int | None = None,
        beside: Callable[[], Awaitable[Beside]] | None = None,
    ) -> Outcome:
        """An order that shows a code; the outcome is a PaymentView, or what `beside` answers.

        `beside` reads what is to be made with it, anew for each try. Raises `Invalid`.
        """
        token, asked = new_token(self._entropy), new.cleaned()

        async def entry() -> Entry:
            return CreateOrder(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=await self._shop_of(at),
                rules=self._rules,
                new=asked,
                code_token=token,
                expires_seconds=expires_seconds or self._settings.order_seconds,
                beside=None if beside is None else await beside(),
            )

        return await self._submit(entry, idempotency)

    async def pay_with_code(
        self, at: At, new: NewPayment, code: str, idempotency: Idempotency | None
    ) -> Outcome:
        """Pay by the code that a person shows; the outcome is a PaymentView.

        The payment is captured (or authorised), waits for the person if it is large, or is
        declined. A code that is wrong, old or used is refused, and wrong ones are counted.
        Raises `Invalid`.
        """
        asked = new.cleaned()

        async def entry() -> Entry:
            shop = await self._shop_of(at)
            device, mark = await self._device_of(code, at.merchant_id)
            return PayWithCode(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=shop,
                rules=self._rules,
                new=asked,
                payer=await self._payer(device.person_id),
                device_id=device.id,
                mark=mark,
            )

        return await self._submit(entry, idempotency)

    async def capture(
        self,
        merchant_id: UUID,
        payment_id: UUID,
        amount: int | None,
        idempotency: Idempotency | None,
        *,
        final: bool = False,
    ) -> Outcome:
        """Capture what is authorised, in full or in part; the outcome is a PaymentView."""

        async def entry() -> Entry:
            payment, shop = await self._merchants_payment(merchant_id, payment_id)
            return ByMerchant(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=shop,
                payment=payment,
                command=Command.CAPTURE,
                amount=amount,
                final=final,
            )

        return await self._submit(entry, idempotency)

    async def cancel(
        self, merchant_id: UUID, payment_id: UUID, idempotency: Idempotency | None
    ) -> Outcome:
        """Cancel what was not captured; the outcome is a PaymentView."""

        async def entry() -> Entry:
            payment, shop = await self._merchants_payment(merchant_id, payment_id)
            return ByMerchant(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=shop,
                payment=payment,
                command=Command.CANCEL,
            )

        return await self._submit(entry, idempotency)

    async def refund(
        self,
        merchant_id: UUID,
        payment_id: UUID,
        amount: int | None,
        reason: str | None,
        idempotency: Idempotency | None,
        *,
        by: Refunder | None = None,
        reversal: bool = False,
    ) -> Outcome:
        """Refund what was captured, in full or in part; the outcome is a RefundView.

        `by` is the member of staff by whose limits it goes; None: a key's, of none. A `reversal` of
        the whole gives the merchant its fee back, too. Raises `Invalid`, `RefundAboveLimit`.
        """
        why = clean_note(reason, "reason")

        async def entry() -> Entry:
            payment, shop = await self._merchants_payment(merchant_id, payment_id)
            return GiveBack(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=shop,
                payment=payment,
                amount=amount,
                reason=why,
                by=by,
                reversal=reversal,
            )

        return await self._submit(entry, idempotency)

    async def of_merchant(self, merchant_id: UUID, payment_id: UUID) -> Payment:
        """A merchant's payment. Raises `NotFound`, also if it is another's."""
        async with self._pool.acquire() as connection:
            payment = await payment_by_id(connection, payment_id)
        if payment is None or payment.merchant_id != merchant_id:
            raise NotFound("payment", show_id("pay", payment_id))
        return payment

    async def list_of_merchant(
        self, merchant_id: UUID, wanted: PaymentFilter, before: UUID | None, limit: int
    ) -> list[Payment]:
        """A merchant's payments, newest first. Raises `Invalid`."""
        mine = self.mine(merchant_id, wanted)
        async with self._pool.acquire() as connection:
            return await list_payments(connection, mine, before, limit)

    def mine(self, merchant_id: UUID, wanted: PaymentFilter) -> PaymentFilter:
        """A filter held to a merchant's payments, its texts checked. Raises `Invalid`."""
        reference = clean_note(wanted.order_reference, "order_reference")
        text = clean_note(wanted.text, "text")
        mine = msgspec.structs.replace(
            wanted, merchant_id=merchant_id, order_reference=reference, text=text
        )
        return bounded(mine, self._clock.now())

    async def refunds(
        self, merchant_id: UUID, payment_id: UUID, before: UUID | None, limit: int
    ) -> list[RefundNow]:
        """The refunds of a merchant's payment, newest first."""
        await self.of_merchant(merchant_id, payment_id)
        async with self._pool.acquire() as connection:
            return await refunds_of_payment(connection, payment_id, before, limit)

    # -- a person asks ---------------------------------------------------------------------------

    async def pay_static(
        self,
        person_id: UUID,
        token: str,
        new: NewPayment,
        idempotency: Idempotency | None,
        *,
        tap: TagTap | None = None,
        confirmed: Confirmed | None = None,
    ) -> Outcome:
        """Pay a typed amount at a static code; the outcome is a PersonPaymentView.

        `tap` is that of the rolling tag by which the person came there. Raises `Invalid`.
        """
        asked = new.cleaned()

        async def entry() -> Entry:
            if tap is not None:
                await self._tags.check_in_use(tap.tag_id)
            return PayStatic(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=await self._shop(token),
                rules=self._rules,
                new=asked,
                payer=await self._payer(person_id),
                tap_id=None if tap is None else tap.id,
                confirmed=confirmed,
            )

        return await self._submit(entry, idempotency)

    async def by_person(
        self,
        person_id: UUID,
        payment_id: UUID,
        command: Command,
        idempotency: Idempotency | None,
        *,
        way: Way | None = None,
        confirmed: Confirmed | None = None,
    ) -> Outcome:
        """Scan, approve or decline a payment; the outcome is a PersonPaymentView.

        `confirmed` is what the person's passkey was asked for, if it was.
        `way` is how the person came by its code, None if they name it by its id. Who came by no
        code does not learn that there is a payment of somebody else's.
        """

        async def entry() -> Entry:
            async with self._pool.acquire() as connection:
                payment = await payment_by_id(connection, payment_id)
            by_code = way is not None or command is Command.SCAN
            if payment is None or (payment.person_id not in (None, person_id) and not by_code):
                raise NotFound("payment", show_id("pay", payment_id))
            return ByPerson(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=await self._shop(payment.till_id or payment.shop_id),
                rules=self._rules,
                payment=payment,
                payer=await self._payer(person_id),
                command=command,
                way=way,
                confirmed=confirmed,
            )

        return await self._submit(entry, idempotency)

    async def of_person(self, person_id: UUID, payment_id: UUID) -> Payment:
        """A person's payment. Raises `NotFound`, also if it is another's."""
        async with self._pool.acquire() as connection:
            payment = await payment_by_id(connection, payment_id)
        if payment is None or payment.person_id != person_id:
            raise NotFound("payment", show_id("pay", payment_id))
        return payment

    async def list_of_person(
        self, person_id: UUID, before: UUID | None, limit: int
    ) -> list[Payment]:
        """A person's payments, newest first."""
        mine = PaymentFilter(person_id=person_id)
        async with self._pool.acquire() as connection:
            return await list_payments(connection, mine, before, limit)

    # -- time passes -----------------------------------------------------------------------------

    async def expire_due(self) -> int:
        """Expire what nobody agreed to and what was reserved too long; returns how many."""
        now = self._clock.now()
        async with self._pool.acquire() as connection:
            due = await due_payments(connection, now, DUE_AT_ONCE)
            reserved = await due_reservations(connection, now, DUE_AT_ONCE)
        due += [row.reference for row in reserved if row.code == TransferCode.PAYMENT]
        expired = 0
        for payment_id in dict.fromkeys(due):
            try:
                await self._expire(payment_id, now)
            except (Refused, LookupError):
                continue  # somebody paid or cancelled it at this moment
            expired += 1
        return expired

    async def _expire(self, payment_id: UUID, now: datetime) -> None:
        async def entry() -> Entry:
            async with self._pool.acquire() as connection:
                payment = await payment_by_id(connection, payment_id)
            if payment is None or payment.expires_at is None or payment.expires_at > now:
                raise LookupError(payment_id)
            return ByMerchant(
                id=self._ids.entry(),
                idempotency=None,
                shop=await self._shop(payment.till_id or payment.shop_id),
                payment=payment,
                command=Command.EXPIRE,
            )

        await self._submit(entry, None)

    # -- what commands need ----------------------------------------------------------------------

    def _submit(
        self, build: Callable[[], Awaitable[Entry]], idempotency: Idempotency | None
    ) -> Awaitable[Outcome]:
        return submit_fresh(self._journal, self._pool, build, idempotency, self._forget)

    def _forget(self, owner_id: UUID) -> None:
        self._people.drop(owner_id)
        self._shops.drop_where("merchant_id", owner_id)

    async def _shop_of(self, at: At) -> Shop:
        """The shop or till that a merchant names. Raises `NotFound` if it is another's."""
        if at.till_id is not None:
            shop, shown = await self._shop(at.till_id), show_id("til", at.till_id)
        else:
            assert at.shop_id is not None, "the API asks for a shop or a till"
            shop, shown = await self._shop(at.shop_id), show_id("shp", at.shop_id)
        if shop.place.merchant_id != at.merchant_id:
            raise NotFound("shop or till", shown)
        return shop

    async def _payer(self, person_id: UUID) -> PersonTerms:
        payer = self._people.get(person_id)
        if payer is None:
            async with self._pool.acquire() as connection:
                payer = await load_terms(connection, person_id)
            self._people.put(person_id, payer)
        return payer

    async def _merchants_payment(self, merchant_id: UUID, payment_id: UUID) -> tuple[Payment, Shop]:
        payment = await self.of_merchant(merchant_id, payment_id)
        return payment, await self._shop(payment.till_id or payment.shop_id)

    async def _device_of(self, text: str, merchant_id: UUID) -> tuple[Device, Mark]:
        """The device that made a pay code, and the code's mark. Counts wrong codes."""
        code = paycode.parse(text)
        index = int(code.index)
        device = self._devices.get(index)
        if device is None:
            async with self._pool.acquire() as connection:
                device = await device_by_code_index(connection, index)
            if device is not None:
                self._devices.put(index, device)
        seed = None if device is None else open_seed(self._keyring, device)
        # No await from here to the count: of many guesses at once none slips through.
        now = self._clock.now()
        self._wrong_codes.check(merchant_id, now)
        try:
            mark = paycode.check(code, seed, now, None)
        except PayCodeExpired:
            raise
        except PayCodeInvalid:
            self._wrong_codes.count(merchant_id, now)
            if device is not None:
                async with work(self._pool, changes=False) as connection:
                    paused_until = await count_wrong_code(connection, device.id, now)
                if paused_until is not None:
                    raise CodePaused(paused_until) from None
            raise
        assert device is not None, "a code without a device is never right"
        return device, mark
