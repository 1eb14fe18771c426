"""The use cases of the wallet: balances, history, sending and asking for money, top-ups."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from tandem.db import Idempotency, Pool
from tandem.kernel import (
    Clock,
    Currency,
    Ids,
    NotFound,
    Refused,
    clean_note,
    currency_by_number,
    show_id,
)
from tandem.ledger import (
    Account,
    Entry,
    Journal,
    Outcome,
    account_by_id,
    accounts_of,
    bank_reference,
    currency_of,
    line_type,
    moved_before,
    person,
    released_by,
    replaced,
    statement,
    submit_fresh,
)
from tandem.people import Confirmed, PersonTerms, Spending, find_id_by_handle, load_terms
from tandem.screening import MessageScreening, MessageState, states_of
from tandem.settings import Settings
from tandem.wallet.bank import TopUpDetails, read_accounts, top_up_details
from tandem.wallet.entries import Accept, Ask, Close, MakeSend, MakeTopUp
from tandem.wallet.model import TOP_UPS, MoneyRequest, TopUp
from tandem.wallet.search import LOOKED_AT, Wanted
from tandem.wallet.shapes import (
    BalanceView,
    HistoryLine,
    RequestView,
    SendView,
    WalletView,
    request_view,
    send_view,
)
from tandem.wallet.store import (
    due_requests,
    request_by_id,
    requests_of,
    send_by_id,
    sends_of,
    stories,
    top_ups_of,
)

DUE_AT_ONCE: Final = 200


class Wallet:
    """What a person has and does with it, and the top-ups that the operator books.

    Raises `AccountsUnusable` if the operator's bank accounts cannot be read.
    """

    def __init__(
        self,
        pool: Pool,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        settings: Settings,
        screening: MessageScreening,
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._screening = screening
        self._spending = Spending(settings.limit_per_payment, settings.limit_per_day)
        self._accounts = read_accounts(settings.top_up_accounts)

    async def view(self, person_id: UUID) -> WalletView:
        """The person's balances: every currency that moved, or the operator's first."""
        async with self._pool.acquire() as connection:
            terms = await load_terms(connection, person_id)
            found = await accounts_of(connection, person_id)
        by_code = {currency_by_number(account.ledger).code: account for account in found}
        return WalletView(
            [self._balance(code, by_code.get(code), terms) for code in self._shown(found)]
        )

    async def history(
        self, person_id: UUID, code: str | None, before: int | None, limit: int
    ) -> list[HistoryLine]:
        """The movements of a balance, newest first, with the balance after each.

        `code`: the balance's currency; None is the first that `view` shows.
        """
        if code is None:
            async with self._pool.acquire() as connection:
                code = self._shown(await accounts_of(connection, person_id))[0]
        unit = await self._unit(code, person_id)
        async with self._pool.acquire() as connection:
            account_id = person(person_id, unit).id
            lines = await statement(connection, account_id, before, limit)
            behind = await stories(connection, lines, person_id)
            released = await released_by(connection, lines)
        shown: list[HistoryLine] = []
        for line in lines:
            kind, reserved = line_type(line, released)
            story = behind.get(line.transfer.reference)
            shown.append(
                HistoryLine(
                    number=line.number,
                    type=kind,
                    change=line.change,
                    reserved=reserved,
                    balance=line.balance,
                    currency=unit.code,
                    with_name=None if story is None else story.with_name,
                    message=None if story is None else story.message,
                    message_state=MessageState.CLEAR if story is None else story.message_state,
                    object_id=None if story is None else story.object_id,
                    created_at=line.transfer.created_at,
                )
            )
        return shown

    async def look_through(
        self, person_id: UUID, code: str | None, before: int | None, limit: int, wanted: Wanted
    ) -> tuple[list[HistoryLine], int | None]:
        """Movements that are looked for, newest first, and where to go on: None at the end.

        A page may have less than `limit` and still not be the last one: it looks at so many
        movements and no more (`LOOKED_AT`). Currency as in `history`.
        """
        if wanted.until is not None:
            before = await self._number_at(person_id, code, wanted.until, before)
        found: list[HistoryLine] = []
        looked = 0
        while True:
            wish = limit if wanted.everything else LOOKED_AT // 10
            lines = await self.history(person_id, code, before, wish + 1)
            for line in lines[:wish]:
                if wanted.before(line):
                    return found, None
                before, looked = line.number, looked + 1
                if wanted.takes(line):
                    found.append(line)
                if len(found) == limit or looked == LOOKED_AT:
                    return found, None if before == 1 else before
            if len(lines) <= wish:
                return found, None

    async def _number_at(
        self, person_id: UUID, code: str | None, moment: datetime, before: int | None
    ) -> int:
        """The number below which the movements are from before a moment, and below `before`."""
        async with self._pool.acquire() as connection:
            code = code or self._shown(await accounts_of(connection, person_id))[0]
        unit = await self._unit(code, person_id)
        async with self._pool.acquire() as connection:
            account = await account_by_id(connection, person(person_id, unit).id)
            moved = 0 if account is None else await moved_before(connection, account, moment)
        number = moved + 1
        return number if before is None else min(number, before)

    async def send(
        self,
        sender_id: UUID,
        receiver: UUID | str,
        amount: int,
        code: str,
        message: str | None,
        idempotency: Idempotency | None,
        *,
        confirmed: Confirmed | None = None,
        client: str | None = None,
    ) -> Outcome:
        """Send money to another person, by id or handle; the outcome is a SendView.

        `client` is the address that it was asked from. Raises `NotFound`, `Invalid`. A handle that
        is nobody's stays so for a repeat of the request, whoever takes it meanwhile.
        """
        note = clean_note(message, "message")

        async def entry() -> Entry:
            receiver_id = receiver
            if isinstance(receiver_id, str):
                receiver_id = await self.person_by_handle(receiver_id)
            return MakeSend(
                id=self._ids.entry(),
                idempotency=idempotency,
                spending=self._spending,
                sender=await self._terms(sender_id),
                receiver=await self._terms(receiver_id),
                amount=amount,
                currency=(await self._unit(code, sender_id)).code,
                message=note,
                screened=await self._screening.look(note, sender_id, receiver_id, client),
                confirmed=confirmed,
            )

        return await self._submit(entry, idempotency)

    async def ask(
        self,
        requester_id: UUID,
        payer_id: UUID,
        amount: int,
        code: str,
        message: str | None,
        idempotency: Idempotency | None,
        *,
        expires_seconds: int | None = None,
        client: str | None = None,
    ) -> Outcome:
        """Ask another person for money; the outcome is a RequestView. Raises `Invalid`.

        `client` is the address that it was asked from.
        """
        note = clean_note(message, "message")

        async def entry() -> Entry:
            return Ask(
                id=self._ids.entry(),
                idempotency=idempotency,
                requester=await self._terms(requester_id),
                payer=await self._terms(payer_id),
                amount=amount,
                currency=self._settings.unit(code).code,
                message=note,
                screened=await self._screening.look(note, requester_id, payer_id, client),
                expires_seconds=expires_seconds or self._settings.request_seconds,
            )

        return await self._submit(entry, idempotency)

    async def accept(
        self,
        person_id: UUID,
        request_id: UUID,
        idempotency: Idempotency | None,
        *,
        confirmed: Confirmed | None = None,
    ) -> Outcome:
        """Accept a request: the money moves; the outcome is a RequestView."""

        async def entry() -> Entry:
            request = await self._request(person_id, request_id)
            if request.payer_id != person_id:
                raise NotFound("request to answer", show_id("req", request_id))
            return Accept(
                id=self._ids.entry(),
                idempotency=idempotency,
                spending=self._spending,
                request_id=request.id,
                sender=await self._terms(request.payer_id),
                receiver=await self._terms(request.requester_id),
                amount=request.amount,
                currency=request.currency,
                message=request.message,
                message_state=await self._state(request.id),
                confirmed=confirmed,
            )

        return await self._submit(entry, idempotency)

    async def close(
        self, person_id: UUID, request_id: UUID, status: str, idempotency: Idempotency | None
    ) -> Outcome:
        """Decline a request one received, or withdraw (cancelled) one that one made."""

        async def entry() -> Entry:
            request = await self._request(person_id, request_id)
            whose = request.payer_id if status == "declined" else request.requester_id
            if whose != person_id:
                raise NotFound("request to answer", show_id("req", request_id))
            return Close(
                id=self._ids.entry(),
                idempotency=idempotency,
                request_id=request.id,
                status=status,
                by=person_id,
                message_state=await self._state(request_id),
            )

        return await self._submit(entry, idempotency)

    async def request(self, person_id: UUID, request_id: UUID) -> RequestView:
        """A request that the person made or received. Raises `NotFound`."""
        request = await self._request(person_id, request_id)
        return request_view(request, person_id, await self._state(request_id))

    async def requests(self, person_id: UUID, before: UUID | None, limit: int) -> list[RequestView]:
        """The requests that the person made or received, newest first."""
        async with self._pool.acquire() as connection:
            rows = await requests_of(connection, person_id, before, limit)
            states = await states_of(connection, [row.id for row in rows])
        return [
            request_view(row, person_id, states.get(row.id, MessageState.CLEAR)) for row in rows
        ]

    async def sent(self, person_id: UUID, send_id: UUID) -> SendView:
        """A send from or to the person. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            send = await send_by_id(connection, send_id)
        if send is None or person_id not in (send.sender_id, send.receiver_id):
            raise NotFound("send", show_id("snd", send_id))
        return send_view(send, person_id, await self._state(send.screened_by))

    async def sends(self, person_id: UUID, before: UUID | None, limit: int) -> list[SendView]:
        """What the person sent or received, newest first."""
        async with self._pool.acquire() as connection:
            rows = await sends_of(connection, person_id, before, limit)
            states = await states_of(connection, [row.screened_by for row in rows])
        return [
            send_view(row, person_id, states.get(row.screened_by, MessageState.CLEAR))
            for row in rows
        ]

    async def top_up(
        self,
        person_id: UUID,
        amount: int,
        code: str,
        reference: str,
        idempotency: Idempotency | None,
    ) -> Outcome:
        """Book money that came in at the bank; the outcome is a TopUpView.

        Raises `ReferenceBooked`; `Invalid` for a currency that the operator does not keep and for
        a reference that cannot be shown: the person reads it in their history.
        """
        self._settings.unit(code)
        reference = bank_reference(reference)

        async def entry() -> Entry:
            receiver = await self._terms(person_id)
            async with self._pool.acquire() as connection:
                before = await replaced(connection, TOP_UPS, reference)
            return MakeTopUp(
                id=self._ids.entry(),
                idempotency=idempotency,
                receiver=receiver,
                amount=amount,
                currency=self._settings.unit(code).code,
                reference=reference,
                replaces=before,
            )

        return await self._submit(entry, idempotency)

    def top_up_details(self, person_id: UUID) -> TopUpDetails:
        """Where the person transfers money for their wallet, and with which reference."""
        return top_up_details(self._accounts, person_id)

    async def top_ups(self, person_id: UUID, before: UUID | None, limit: int) -> list[TopUp]:
        """A person's top-ups, newest first."""
        async with self._pool.acquire() as connection:
            return await top_ups_of(connection, person_id, before, limit)

    async def person_by_handle(self, handle: str) -> UUID:
        """The person behind a handle such as @lin. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await find_id_by_handle(connection, handle)

    async def expire_due(self) -> int:
        """Expire the requests whose time is over; returns how many."""
        async with self._pool.acquire() as connection:
            due = await due_requests(connection, self._clock.now(), DUE_AT_ONCE)
            states = await states_of(connection, [request.id for request in due])
        expired = 0
        for request in due:
            close = Close(
                id=self._ids.entry(),
                idempotency=None,
                request_id=request.id,
                status="expired",
                by=request.requester_id,
                message_state=states.get(request.id, MessageState.CLEAR),
            )
            try:
                await self._journal.submit(close)
            except Refused:
                continue  # it was answered at this moment
            expired += 1
        return expired

    async def _submit(
        self, build: Callable[[], Awaitable[Entry]], idempotency: Idempotency | None
    ) -> Outcome:
        return await submit_fresh(self._journal, self._pool, build, idempotency)

    async def _state(self, object_id: UUID) -> str:
        """Where a message stands."""
        async with self._pool.acquire() as connection:
            return (await states_of(connection, [object_id])).get(object_id, MessageState.CLEAR)

    async def _terms(self, person_id: UUID) -> PersonTerms:
        async with self._pool.acquire() as connection:
            return await load_terms(connection, person_id)

    def _shown(self, accounts: Iterable[Account]) -> list[str]:
        """The currencies of a person's balances, in the order in which they are shown."""
        moved = {
            currency_by_number(account.ledger).code for account in accounts if account.transfers
        }
        taken = [unit.code for unit in self._settings.currencies]
        shown = [code for code in taken if code in moved] + sorted(moved.difference(taken))
        return shown or taken[:1]

    async def _unit(self, code: str, person_id: UUID) -> Currency:
        return await currency_of(self._pool, self._settings, code, person_id)

    async def _request(self, person_id: UUID, request_id: UUID) -> MoneyRequest:
        async with self._pool.acquire() as connection:
            request = await request_by_id(connection, request_id)
        if request is None or person_id not in (request.requester_id, request.payer_id):
            raise NotFound("request", show_id("req", request_id))
        return request

    def _balance(self, code: str, account: Account | None, terms: PersonTerms) -> BalanceView:
        limits = self._spending.of(terms, code)
        today = self._settings.day_of(self._clock.now())
        return BalanceView(
            currency=code,
            balance=0 if account is None else account.balance,
            available=0 if account is None else account.available,
            reserved=0 if account is None else account.debits_pending,
            spent_today=0 if account is None else account.spent_on(today),
            limit_per_payment=limits.per_payment,
            limit_per_day=limits.per_day,
        )
