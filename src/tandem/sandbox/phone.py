"""The sandbox's phone: a person's device card that taps a till's order, without any hardware.

The card application, the terminal's kernel and the radio between them run in this process: the same
programs as on a device and on a counter. What the kernel gives for the host goes the way of every
tap. The card is added, proved and handed out by the vault as any other; only where its keys lie is
the sandbox's own: sealed, in the database.
"""

import asyncio
import base64
from collections.abc import Callable
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import Meta

from tandem.api.routes.taps import TakeTap, TapTaken, taken
from tandem.api.sealed import sandbox_card_context
from tandem.cards import Cards, unwrap
from tandem.db import Connection, Idempotency, Pool, earlier_answer, keep_answer, work
from tandem.emv.application_data import Method, Verifier
from tandem.emv.card import Application, Card, CardState, Profile, Unsaved, Verification
from tandem.emv.errors import EmvRefused
from tandem.emv.tags import Tag
from tandem.emv.terminal import (
    Combination,
    HostAnswer,
    Knowledge,
    Message,
    Outcome,
    Result,
    Terminal,
    Transaction,
    complete,
    prepare,
    run,
)
from tandem.kernel import Clock, Entropy, Ids, NotFound, currency, read_id, show_id
from tandem.keyring import KeyRing
from tandem.merchants import Choice, Merchants, Place
from tandem.payments import (
    CardPayments,
    Payment,
    PersonPaymentView,
    Source,
    Status,
    open_orders,
    person_view,
)
from tandem.people import People
from tandem.settings import Settings
from tandem.tap.payment import Payment as Tapped
from tandem.tap.payment import Secret
from tandem.tap.terminal import issuer_data
from tandem.till.rest import tap_body

NAME: Final = "Sandbox phone"
VERIFIED_FROM: Final = 10_000
"""From this amount on, in minor units, the sandbox's terminal wants a verified person."""
_LOOKED_AT: Final = 100
_SHOWN: Final = 20
_COUNTRY: Final = 156


class NearbyTill(msgspec.Struct, frozen=True):
    """A till with an order that can be tapped."""

    order_id: Annotated[str, Meta(examples=["pay_0199f0a4c0de7000800000000000002a"])]
    merchant: Annotated[str, Meta(examples=["Blue Door"])]
    shop: Annotated[str, Meta(examples=["Blue Door, East Gate"])]
    till: Annotated[str, Meta(examples=["Till 1"])]
    amount: Annotated[int, Meta(description="Minor units", examples=[3800])]
    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]


class SandboxTap(msgspec.Struct, frozen=True):
    """What a tap came to."""

    result: Annotated[
        Literal["approved", "declined", "verify", "failed"],
        Meta(
            description="verify: the phone asks for its passcode first, and nothing was paid; "
            "failed: card and terminal did not come to an end"
        ),
    ]
    message: Annotated[
        str, Meta(description="What the reader shows (EMV Book A, 9.4)", examples=["Approved"])
    ]
    payment: Annotated[
        PersonPaymentView | None, Meta(description="What was made of it, if it went to the host")
    ]


class _Held(msgspec.Struct, frozen=True):
    """A card of the sandbox's phone."""

    id: UUID
    profile: Profile
    state: CardState


class SandboxPhones:
    """People's phones in a sandbox, one card for each currency."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        keyring: KeyRing,
        settings: Settings,
        people: People,
        merchants: Merchants,
        cards: Cards,
        payments: CardPayments,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._keyring = keyring
        self._settings = settings
        self._people = people
        self._merchants = merchants
        self._cards = cards
        self._payments = payments

    async def nearby(self) -> list[NearbyTill]:
        """The tills whose orders wait and can be tapped, the newest first."""
        async with self._pool.acquire() as connection:
            found = await open_orders(connection, self._clock.now(), None, _LOOKED_AT)
        waiting = [p for p in found if p.status == Status.CREATED and p.source == Source.ORDER]
        shown: list[NearbyTill] = []
        for order in sorted(waiting, key=lambda p: p.id, reverse=True):
            if order.till_id is None or len(shown) == _SHOWN:
                continue
            place = await self._merchants.place(order.merchant_id, till_id=order.till_id)
            if _objection(place, order) is None:
                shown.append(_nearby(place, order))
        return shown

    async def tap(
        self, person_id: UUID, order_id: UUID, idempotency: Idempotency, *, verified: bool
    ) -> SandboxTap:
        """Hold the person's phone to the till that the order waits at.

        Raises `NotFound`, `WayRefused`, and what a tap does at its host.
        """
        async with work(self._pool, changes=False) as connection:
            kept = await earlier_answer(connection, idempotency)
        if kept is not None:
            return msgspec.json.decode(kept, type=SandboxTap)
        order, place = await self._order(order_id)
        policy = msgspec.structs.replace(place.acceptance, wallets=Choice())
        policy.check("tap", "", order.currency, order.amount)
        await self._provide(person_id, order.currency)
        ready = prepare(self._terminal(place), self._transaction(order), await self._knowledge())
        if isinstance(ready, Outcome):
            return SandboxTap("failed", ready.ui.text(), None)

        async with work(self._pool) as connection:
            held = await self._held(connection, person_id, order.currency)
            application = Application(held.profile, held.state, self._entropy)
            card = Card((application,), self._clock)
            if verified:
                now = self._clock.now()
                card.present(Verification(Verifier.OPERATING_SYSTEM, Method.PASSCODE, now))
            outcome = await asyncio.to_thread(run, ready, self._entropy, _radio(card))
            await _save(connection, held.id, application.state)
        if outcome.result is not Result.ONLINE_REQUEST:
            again = outcome.ui.message is Message.SEE_PHONE
            declined = outcome.result is Result.DECLINED
            result: Literal["declined", "verify", "failed"] = (
                "verify" if again else "declined" if declined else "failed"
            )
            return SandboxTap(result, outcome.ui.text(), None)
        said = await self._authorise(order, outcome, idempotency)
        ended = await self._ended(person_id, held.id, application, outcome, said)
        async with work(self._pool, changes=False) as connection:
            kept = msgspec.json.encode(ended)
            await keep_answer(connection, idempotency, kept, self._clock.now())
        return ended

    async def _authorise(
        self, order: Payment, outcome: Outcome, idempotency: Idempotency
    ) -> TapTaken:
        """The way of every tap: the same body, read by the same operation."""
        shown = Tapped(
            number=1,
            at=self._clock.now(),
            amount=order.amount,
            currency=order.currency,
            order=show_id("pay", order.id),
        ).after(outcome)
        body = msgspec.convert(tap_body(shown, Secret.of(outcome)), TakeTap, strict=False)
        assert order.till_id is not None, "it was looked for"
        mine = idempotency._replace(owner_id=order.merchant_id)
        return await taken(self._payments, order.merchant_id, order.till_id, body, mine)

    async def _ended(
        self,
        person_id: UUID,
        card_id: UUID,
        application: Application,
        outcome: Outcome,
        said: TapTaken,
    ) -> SandboxTap:
        """The issuer's answer to the card, and the outcome on the reader."""
        proof = issuer_data(base64.b64decode(said.issuer_answer or ""))
        final = complete(outcome, HostAnswer(said.approved, proof))
        if proof and outcome.card is not None:
            atc = int.from_bytes(outcome.card.values[Tag.ATC], "big")
            async with work(self._pool, changes=False) as connection:
                try:
                    state = application.issuer_answered(atc, proof)
                except EmvRefused:
                    pass  # of an earlier tap: a repeat was answered
                else:
                    await _save(connection, card_id, state)
        payment = await self._payments.of_person(person_id, read_id("pay", said.payment.id))
        result: Literal["approved", "declined"] = "approved" if said.approved else "declined"
        return SandboxTap(result, final.ui.text(), person_view(payment))

    async def _order(self, order_id: UUID) -> tuple[Payment, Place]:
        async with self._pool.acquire() as connection:
            found = await open_orders(connection, self._clock.now(), None, 10_000)
        order = next((p for p in found if p.id == order_id), None)
        if order is None or order.till_id is None or order.source != Source.ORDER:
            raise NotFound("order", show_id("pay", order_id))
        place = await self._merchants.place(order.merchant_id, till_id=order.till_id)
        return order, place

    # -- the terminal ----------------------------------------------------------------------------

    def _terminal(self, place: Place) -> Terminal:
        taken_aid = Combination(aid=self._settings.card_aid, cvm_limit=VERIFIED_FROM)
        return Terminal(
            combinations=(taken_aid,),
            country=_COUNTRY,
            merchant_name=place.shop_name.encode("ascii", "replace").decode()[:20],
            merchant_category=int(place.shop_category),
            terminal_id="SANDBOX",
        )

    def _transaction(self, order: Payment) -> Transaction:
        return Transaction(
            amount=order.amount,
            currency=currency(order.currency),
            at=self._clock.now(),
            sequence=1,
            forced_online=True,
        )

    async def _knowledge(self) -> Knowledge:
        return Knowledge(trusted=(await self._cards.vault.find()).trusted)

    # -- the card --------------------------------------------------------------------------------

    async def _provide(self, person_id: UUID, code: str) -> None:
        """See that the phone holds a card of this currency; one that is over is added anew."""
        async with self._pool.acquire() as connection:
            there = await connection.fetchval(
                "SELECT EXISTS (SELECT FROM sandbox_cards AS s JOIN device_cards AS c "
                "ON c.id = s.card_id WHERE s.person_id = $1 AND s.currency = $2 "
                "AND c.status IN ('active', 'suspended', 'lost'))",
                person_id,
                code,
            )
        if there:
            return
        made = await self._people.add_device(person_id, NAME, None)
        device_id = read_id("dev", made.id)
        secret = X25519PrivateKey.from_private_bytes(self._entropy(32))
        public = secret.public_key().public_bytes_raw()
        view = await self._cards.add(person_id, device_id, code, public, None)
        card_id = read_id("crd", view.id)
        if view.status == "waiting_code":
            shown = await self._cards.issue_code(card_id)
            await self._cards.prove(person_id, device_id, card_id, shown.code)
        once = Idempotency(device_id, self._entropy(16).hex(), bytes(32))
        package = await self._cards.deliver(person_id, device_id, card_id, once)
        profile = unwrap(base64.b64decode(package.sealed), secret, card_id)
        sealed = self._keyring.seal(msgspec.json.encode(profile), sandbox_card_context(card_id))
        async with work(self._pool, changes=False) as connection:
            await connection.execute(
                "INSERT INTO sandbox_cards (card_id, person_id, currency, sealed, state) "
                "VALUES ($1, $2, $3, $4, $5)",
                card_id,
                person_id,
                code,
                sealed,
                msgspec.json.encode(CardState()).decode(),
            )

    async def _held(self, connection: Connection, person_id: UUID, code: str) -> _Held:
        """The newest card of this currency, locked: one tap at a time."""
        row = await connection.fetchrow(
            "SELECT card_id, sealed, state FROM sandbox_cards WHERE person_id = $1 "
            "AND currency = $2 ORDER BY card_id DESC LIMIT 1 FOR NO KEY UPDATE",
            person_id,
            code,
        )
        assert row is not None, "it was provided"
        opened = self._keyring.open(row["sealed"], sandbox_card_context(row["card_id"]))
        return _Held(
            row["card_id"],
            msgspec.json.decode(opened, type=Profile),
            msgspec.json.decode(row["state"], type=CardState),
        )


async def _save(connection: Connection, card_id: UUID, state: CardState) -> None:
    await connection.execute(
        "UPDATE sandbox_cards SET state = $2 WHERE card_id = $1",
        card_id,
        msgspec.json.encode(state).decode(),
    )


def _radio(card: Card) -> Callable[[bytes], bytes]:
    """The field between them. The state is saved before anything is sent on to a host."""

    def transmit(command: bytes) -> bytes:
        answer = card.transmit(command)
        return answer.saved() if isinstance(answer, Unsaved) else answer

    return transmit


def _objection(place: Place, order: Payment) -> str | None:
    policy = msgspec.structs.replace(place.acceptance, wallets=Choice())
    return policy.objection("tap", "", order.currency, order.amount)


def _nearby(place: Place, order: Payment) -> NearbyTill:
    return NearbyTill(
        show_id("pay", order.id),
        place.merchant_name,
        place.shop_name,
        place.till_name or "",
        order.amount,
        order.currency,
    )
