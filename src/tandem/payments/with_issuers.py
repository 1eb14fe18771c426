"""The use cases of payments that an issuer's card pays: ask it, book what it says, tell it on."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog

from tandem.cards import (
    Acceptor,
    Cards,
    FundingCard,
    IssuerAnswer,
    IssuerAsked,
    IssuerAway,
    Issuers,
    IssuerSilent,
    funding_by_id,
    open_details,
)
from tandem.db import Idempotency, IdempotencyConflict, Pool, earlier_answer, work
from tandem.kernel import Clock, Entropy, Ids, Refused, read_id, show_id
from tandem.keyring import KeyRing
from tandem.ledger import Entry, Journal, Outcome, answered
from tandem.payments.by_issuer import (
    ASK_WITHIN_SECONDS,
    NOT_SENT,
    AskIssuer,
    BookAnswer,
    IssuerPending,
    TapProof,
)
from tandem.payments.issuers import (
    ASKING,
    DONE,
    REFUSED,
    IssuerAdvice,
    IssuerAuthorisation,
    authorisation_of,
    claim_advices,
    end_advice,
    number_advice,
    open_authorisations,
    put_off,
)
from tandem.payments.service import Payments
from tandem.settings import Settings
from tandem.tags import Tags

log = structlog.get_logger(__name__)

AT_ONCE: Final = 20
LEASE_SECONDS: Final = 120
"""How long a process may take to tell an issuer; longer than any answer is waited for."""
LONGEST_PAUSE_SECONDS: Final = 300
PAUSE_SECONDS: Final = timedelta(milliseconds=500).total_seconds()
_LOOK_SECONDS: Final = timedelta(milliseconds=100).total_seconds()
_DONE: Final = frozenset({"00", "94"})
"""Answers that end an advice: it was taken, now or before."""
_NOT_THERE: Final = "25"
_LATER: Final = frozenset({"91", "96"})


class IssuerPayments(Payments):
    """Payments that an issuer is asked for."""

    def __init__(
        self,
        pool: Pool,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        keyring: KeyRing,
        settings: Settings,
        cards: Cards,
        tags: Tags,
        issuers: Issuers,
    ) -> None:
        super().__init__(pool, journal, clock, ids, entropy, keyring, settings, tags)
        self._cards = cards
        self._issuers = issuers

    # -- a tap -----------------------------------------------------------------------------------

    async def _pay_by_issuer(
        self,
        build: Callable[[int, int], Awaitable[AskIssuer]],
        funding: FundingCard,
        idempotency: Idempotency,
    ) -> Outcome:
        """Ask the issuer once for a request, and book what it says; the outcome is a `TapAnswer`.

        `build` makes the question from its number and how long an answer is waited for. Raises
        `IssuerAway` if the issuer is none of this Tandem any more, and what `build` does.
        """
        async with work(self._pool) as connection:
            kept = await earlier_answer(connection, idempotency)
        if kept is not None:
            return answered(kept)
        issuer = self._issuers.by_id(funding.issuer_id)
        if issuer is None:
            raise IssuerAway(show_id("iss", funding.issuer_id))
        number = await self._issuers.number(issuer.id)
        proof: list[TapProof] = []

        async def entry() -> Entry:
            made = await build(number, issuer.answer_seconds)
            if not made.asked.offline:  # what comes late is not answered to the card
                proof[:] = [TapProof(made.master, made.key, made.tap)]
            return made

        first = await self._submit(entry, asking(idempotency))
        pending = _pending(first)
        if pending is None:
            return first  # it was declined before anybody was asked
        if first.replayed:
            return await self._book_again(pending, idempotency, proof[0] if proof else None)
        async with self._pool.acquire() as connection:
            asked = await authorisation_of(connection, pending)
        assert asked is not None, "it was just written"
        answer = await self._answer(asked, funding)
        return await self._book(asked, answer, idempotency, proof[0] if proof else None)

    async def _answer(
        self, asked: IssuerAuthorisation, funding: FundingCard
    ) -> IssuerAnswer | None:
        """What the issuer says: `NOT_SENT` if it was not reached, None if it said nothing."""
        if self._clock.now() > asked.created_at + timedelta(seconds=ASK_WITHIN_SECONDS):
            return NOT_SENT
        try:
            return await self._issuers.ask(
                asked.issuer_id,
                IssuerAsked(
                    kind=asked.kind,
                    number=asked.number,
                    card=open_details(funding, self._keyring),
                    amount=asked.amount,
                    currency=asked.currency,
                    acceptor=await self._acceptor(asked),
                    sent_at=asked.created_at,
                ),
            )
        except IssuerAway:
            return NOT_SENT
        except IssuerSilent:
            return None

    async def _book(
        self,
        asked: IssuerAuthorisation,
        answer: IssuerAnswer | None,
        idempotency: Idempotency | None,
        proof: TapProof | None,
        *,
        undo: bool = False,
    ) -> Outcome:
        """Book an answer. If the request was reversed meanwhile, undo what the issuer did."""

        async def entry() -> Entry:
            return BookAnswer(
                id=self._ids.entry(),
                idempotency=idempotency,
                shop=await self._shop(asked.till_id or asked.shop_id),
                rules=self._rules,
                payer=await self._payer(asked.person_id),
                asked=asked,
                answer=answer,
                undo=undo,
                proof=proof,
            )

        try:
            return await self._submit(entry, idempotency)
        except IdempotencyConflict:
            assert idempotency is not None, "without a key there is no conflict"
            await self._book(asked, answer, None, None, undo=True)
            raise

    async def _book_again(
        self, payment_id: UUID, idempotency: Idempotency, proof: TapProof | None
    ) -> Outcome:
        """The answer for a repeat: whoever asked the issuer first gets to book it.

        Raises `IssuerSilent` if that is still under way when a terminal has waited long enough.
        """
        loop = asyncio.get_running_loop()
        async with self._pool.acquire() as connection:
            asked = await authorisation_of(connection, payment_id)
        assert asked is not None, "its number was given out with it"
        end = loop.time() + (asked.until - self._clock.now()).total_seconds()
        while asked.status == ASKING and loop.time() < end:
            await asyncio.sleep(_LOOK_SECONDS)
            async with self._pool.acquire() as connection:
                asked = await authorisation_of(connection, payment_id) or asked
        return await self._book(asked, None, idempotency, proof)

    # -- what is still to be done ----------------------------------------------------------------

    async def resolve_issuers(self) -> int:
        """Give up questions that nobody waits for any more: after a crash. Returns how many."""
        async with self._pool.acquire() as connection:
            found = await open_authorisations(connection, self._clock.now(), AT_ONCE)
        done = 0
        for asked in found:
            try:
                await self._book(asked, None, None, None)
            except Refused as refused:  # one that cannot be booked now keeps no other waiting
                shown = show_id("pay", asked.payment_id)
                log.warning("a question stays open", payment=shown, reason=refused.code)
            else:
                done += 1
        return done

    async def tell_issuers(self) -> int:
        """Send what issuers are to hear of and has not been answered yet. Returns how many."""
        due = await self._due(())
        await self._tell_all(due)
        return len(due)

    async def follow_issuers(self) -> None:
        """Do both, for ever; any number of processes may.

        An issuer that is away, or slow, keeps no other waiting.
        """
        telling: dict[UUID, asyncio.Task[None]] = {}
        try:
            while True:
                for issuer_id in [known for known, task in telling.items() if task.done()]:
                    telling.pop(issuer_id).result()
                due = await self._due(telling)
                for issuer_id in {advice.issuer_id for advice in due}:
                    own = [advice for advice in due if advice.issuer_id == issuer_id]
                    telling[issuer_id] = asyncio.create_task(self._tell_all(own))
                if not await self.resolve_issuers() and not due:
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            for task in telling.values():
                task.cancel()
            await asyncio.gather(*telling.values(), return_exceptions=True)

    async def _due(self, but: Collection[UUID]) -> list[IssuerAdvice]:
        """What is to be sent now, some of each issuer's but of these."""
        now = self._clock.now()
        lease = now + timedelta(seconds=LEASE_SECONDS)
        async with work(self._pool) as connection:
            return await claim_advices(connection, now, lease, AT_ONCE, but)

    async def _tell_all(self, advices: Iterable[IssuerAdvice]) -> None:
        await asyncio.gather(*map(self._tell, advices))

    async def _tell(self, advice: IssuerAdvice) -> None:
        """Tell an issuer once, and note what it answered."""
        try:
            answer = await self._issuers.ask(advice.issuer_id, await self._message(advice))
        except Refused as why:  # the issuer's host is away, or the keys of its cards' numbers are
            await self._put_off(advice, why.code)
            return
        response = answer.response
        reversal_of_nothing = response == _NOT_THERE and advice.kind == "reversal"
        if response in _LATER:
            await self._put_off(advice, response)
            return
        ended = DONE if response in _DONE or reversal_of_nothing else REFUSED
        if ended == REFUSED:
            log.warning(
                "an issuer refuses what has happened",
                advice=show_id("adv", advice.id),
                payment=show_id("pay", advice.payment_id),
                kind=advice.kind,
                response=response,
            )
        async with work(self._pool) as connection:
            await end_advice(connection, advice.id, ended, response, self._clock.now())

    async def _message(self, advice: IssuerAdvice) -> IssuerAsked:
        number = advice.number
        if number is None:
            number = await self._issuers.number(advice.issuer_id)
            async with work(self._pool) as connection:
                await number_advice(connection, advice.id, number)
        async with self._pool.acquire() as connection:
            asked = await authorisation_of(connection, advice.payment_id)
            assert asked is not None, "an advice refers to it"
            funding = await funding_by_id(connection, asked.funding_id)
        assert advice.sent_at is not None, "it was claimed"
        return IssuerAsked(
            kind=advice.asks,
            number=number,
            card=open_details(funding, self._keyring),
            amount=advice.amount,
            currency=advice.currency,
            acceptor=await self._acceptor(asked),
            sent_at=advice.sent_at,
            attempts=advice.attempts - 1,
            original=asked.original,
        )

    async def _acceptor(self, asked: IssuerAuthorisation) -> Acceptor:
        place = (await self._shop(asked.till_id or asked.shop_id)).place
        return Acceptor(
            asked.merchant_id,
            asked.till_id or asked.shop_id,
            place.shop_category,
            place.shop_name,
            place.shop_city,
            place.shop_country,
        )

    async def _put_off(self, advice: IssuerAdvice, why: str) -> None:
        pause = min(2 ** min(advice.attempts, 30), LONGEST_PAUSE_SECONDS)
        next_at = self._clock.now() + timedelta(seconds=pause)
        async with work(self._pool) as connection:
            await put_off(connection, advice.id, next_at, why)


def asking(idempotency: Idempotency) -> Idempotency:
    """The key of the question. That of the request is used by its answer, or by a reversal."""
    return idempotency._replace(key=f"{idempotency.key}/issuer")


def _pending(outcome: Outcome) -> UUID | None:
    """The payment that an issuer is to be asked for; None if it was declined."""
    try:
        found = msgspec.json.decode(outcome.body, type=IssuerPending)
    except msgspec.ValidationError:
        return None
    return read_id("pay", found.asking)
