"""Takes requests to the authoriser, and leaves no money in doubt.

What the terminal is told must be what the books say. So a payment that is not decided in time, or
whose authoriser fails, is reversed first and only then answered as unavailable. If that cannot be
made sure of either, it gets no answer at all: a terminal without an answer reverses by itself, with
repeats until it is heard. Advices and reversals are never undone; they come again.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import structlog

from tandem.acquiring.codes import ResponseCode
from tandem.acquiring.desk import Ticket
from tandem.acquiring.message import Message
from tandem.acquiring.model import (
    Advice,
    Authorisation,
    Authoriser,
    MoneyRequest,
    Outcome,
    Purchase,
    Reconciliation,
    Refund,
    Reversal,
)
from tandem.acquiring.refusals import response_code
from tandem.acquiring.requests import undo
from tandem.acquiring.respond import answer, answer_money, answer_totals
from tandem.kernel import Refused
from tandem.ledger import OutcomeUnknown

log = structlog.get_logger(__name__)

MOST_LATE: Final = 1000
"""So many requests may still be under way after their time; then nothing new is begun."""

T = TypeVar("T")


class Clerk:
    """Between sessions and an authoriser."""

    def __init__(self, authoriser: Authoriser) -> None:
        self._authoriser = authoriser
        self._late: set[asyncio.Future[Any]] = set()

    @property
    def late(self) -> int:
        """How many requests are still under way after they should have been answered."""
        return len(self._late)

    async def answer(self, ticket: Ticket) -> Message | None:
        """The answer to a ticket's request; None: it gets none."""
        request = ticket.request
        assert request is not None, "only requests are asked"
        if self.late >= MOST_LATE:
            ticket.state.counts["overloaded"] += 1
            return self._plain(ticket, ResponseCode.UNAVAILABLE)
        try:
            if isinstance(request, Reconciliation):
                return await self._reconcile(ticket, request)
            return await self._decide(ticket, request)
        except Refused as refused:
            ticket.state.counts[f"refused_{refused.code}"] += 1
            return self._plain(ticket, response_code(refused))

    async def _decide(self, ticket: Ticket, request: MoneyRequest) -> Message | None:
        """The answer to what moves money. Raises the `Refused` after which nothing is booked."""
        try:
            outcome = await self._in_time(ticket, self._ask(request))
        except OutcomeUnknown:
            return await self._in_doubt(ticket, request, ResponseCode.MALFUNCTION)
        except Refused:
            raise
        except Exception:
            log.exception("a request to the authoriser failed", key=request.key)
            return await self._in_doubt(ticket, request, ResponseCode.MALFUNCTION)
        if outcome is None:
            return await self._in_doubt(ticket, request, ResponseCode.UNAVAILABLE)
        return answer_money(ticket.message, request, outcome, ticket.state.link.echo)

    async def take_back(self, ticket: Ticket) -> Message | None:
        """The answer instead of one that cannot be written."""
        request = ticket.request
        if request is None or isinstance(request, Reconciliation):
            return self._plain(ticket, ResponseCode.MALFUNCTION)
        return await self._in_doubt(ticket, request, ResponseCode.MALFUNCTION)

    async def stop(self) -> None:
        """End what is still under way."""
        late = list(self._late)
        for future in late:
            future.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _reconcile(self, ticket: Ticket, request: Reconciliation) -> Message:
        try:
            totals = await self._in_time(ticket, self._authoriser.totals(request))
        except Refused:
            raise
        except Exception:
            log.exception("the totals of a link failed", link=request.link)
            return self._plain(ticket, ResponseCode.MALFUNCTION)
        if totals is None:
            return self._plain(ticket, ResponseCode.UNAVAILABLE)
        return answer_totals(ticket.message, request, totals, ticket.state.link.echo)

    async def _in_doubt(
        self, ticket: Ticket, request: MoneyRequest, code: ResponseCode
    ) -> Message | None:
        """Nobody knows whether it was booked: have it reversed, and say so only if it is."""
        if isinstance(request, Authorisation | Purchase | Refund) and await self._undone(
            ticket, request
        ):
            ticket.state.counts["undone"] += 1
            return self._plain(ticket, code)
        ticket.state.counts["unanswered"] += 1
        return None

    async def _undone(self, ticket: Ticket, request: MoneyRequest) -> bool:
        try:
            outcome = await self._in_time(ticket, self._authoriser.reverse(undo(request)))
        except Exception:
            log.exception("a payment without an answer could not be reversed", key=request.key)
            return False
        return outcome is not None and outcome.approved

    async def _in_time(self, ticket: Ticket, work: Awaitable[T]) -> T | None:
        """What comes of it within the link's time, or None; it goes on, and is counted as late."""
        loop = asyncio.get_running_loop()
        future, waiting = asyncio.ensure_future(work), loop.create_future()

        def wake(_: object = None) -> None:
            if not waiting.done():
                waiting.set_result(None)

        # what asyncio.wait does for many futures, for one
        timer = loop.call_later(ticket.state.link.limits.answer_seconds, wake)
        future.add_done_callback(wake)
        try:
            await waiting
        except asyncio.CancelledError:
            future.cancel()
            raise
        finally:
            timer.cancel()
        if future.done():
            return future.result()
        ticket.state.counts["late"] += 1
        self._late.add(future)
        future.add_done_callback(self._ended)
        return None

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._late.discard(future)
        if not future.cancelled() and future.exception() is not None:
            log.warning("a late request failed", error=repr(future.exception()))

    def _ask(self, request: MoneyRequest) -> Awaitable[Outcome]:
        match request:
            case Authorisation():
                return self._authoriser.authorise(request)
            case Purchase():
                return self._authoriser.purchase(request)
            case Refund():
                return self._authoriser.refund(request)
            case Advice():
                return self._authoriser.advise(request)
            case Reversal():
                return self._authoriser.reverse(request)

    def _plain(self, ticket: Ticket, code: ResponseCode) -> Message:
        return answer(ticket.message, code, ticket.state.link.echo)
