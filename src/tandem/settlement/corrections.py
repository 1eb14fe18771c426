"""Corrections: what an operator booked by hand, and wrongly, is taken back by an entry of its own.

A booking is a top-up, a payout or a withdrawal. A correction names it, takes back all of it or a
part, and is made once for each booking. Of what was taken back whole, the bank's reference is free
again: book it as it should have been.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Connection, Idempotency, Pool, Table
from tandem.events import Endpoint, announce, load_endpoints
from tandem.kernel import (
    NOTE_LENGTH,
    Currency,
    Ids,
    Invalid,
    NotFound,
    check_amount,
    clean_text,
    currency,
    read_id,
    show_id,
    show_money,
)
from tandem.ledger import (
    OPERATOR_ID,
    REFERENCE_LENGTH,
    AccountKey,
    Decision,
    Entry,
    Journal,
    Outcome,
    Touches,
    Transfer,
    TransferCode,
    View,
    Write,
    bank,
    corrected,
    fees,
    merchant,
    person,
    submit_fresh,
)
from tandem.merchants import merchant_terms
from tandem.settlement.errors import AlreadyCorrected, CorrectionNotCovered

BookingKind = Literal["top_up", "payout", "withdrawal"]


class Kind(NamedTuple):
    """A kind of booking: its ids' prefix, its table, and the column that says whose it is."""

    name: BookingKind
    prefix: str
    table: str
    owner: str


KINDS: Final = (
    Kind("top_up", "top", "top_ups", "person_id"),
    Kind("payout", "pyt", "payouts", "merchant_id"),
    Kind("withdrawal", "wdr", "withdrawals", "person_id"),
)
_PREFIX: Final = {kind.name: kind.prefix for kind in KINDS}
_BOOKINGS: Final = " UNION ALL ".join(
    f"SELECT '{kind.name}' AS kind, id, {kind.owner} AS owner_id, amount, currency, reference "
    f"FROM {kind.table}"
    for kind in KINDS
)


class Booking(msgspec.Struct, frozen=True):
    """What is corrected. Amount in minor units. Without an owner it is of the operator's income."""

    kind: BookingKind
    id: UUID
    owner_id: UUID | None
    amount: int
    unit: Currency
    reference: str

    @property
    def shown(self) -> str:
        """Its id as people see it."""
        return show_id(_PREFIX[self.kind], self.id)

    @property
    def account(self) -> AccountKey:
        """The account that it moved, beside the bank's."""
        if self.owner_id is None:
            return fees(self.unit)
        return (merchant if self.kind == "payout" else person)(self.owner_id, self.unit)


class Correction(msgspec.Struct, frozen=True):
    """A row of `corrections`. Amount in minor units. `booking` is the kind of what it corrects."""

    id: UUID
    booking: str
    booking_id: UUID
    owner_id: UUID
    amount: int
    currency: str
    reason: str
    created_at: datetime


CORRECTIONS: Final = Table("corrections", Correction, log=True)


class CorrectionView(msgspec.Struct, frozen=True):
    """A top-up, payout or withdrawal that was booked wrongly, taken back in full or in part."""

    id: Annotated[str, Meta(examples=["cor_0199f0a4c0de70008000000000000031"])]
    booking_id: Annotated[
        str,
        Meta(
            description="What is corrected: top_…, pyt_… or wdr_…",
            examples=["top_0199f0a4c0de7000800000000000002e"],
        ),
    ]
    owner_id: Annotated[
        str | None,
        Meta(
            description="Whose balance it changed: ppl_… or mer_…; null for the operator's income",
            examples=["ppl_0199f0a4c0de70008000000000000001"],
        ),
    ]
    amount: Annotated[int, Meta(description="What was taken back, minor units", examples=[9000])]
    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    reason: Annotated[
        str, Meta(description="Why, as its owner reads it", examples=["100.00 came in, not 190.00"])
    ]
    created_at: datetime


class MakeCorrection(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of a correction: what the booking moved goes back the way that it came.

    `amount` None: all of it. `terms` is the version of a merchant's terms that `endpoints` were
    read under; None for other owners, whom nobody sends webhooks to.
    """

    id: UUID
    idempotency: Idempotency | None
    booking: Booking
    amount: int | None
    reason: str
    terms: int | None = None
    endpoints: tuple[Endpoint, ...] = ()

    def touches(self) -> Touches:
        """Both accounts that the booking moved."""
        account = self.booking.account
        terms = () if self.terms is None else ((account, self.terms),)
        return Touches((account, bank(self.booking.unit)), terms=terms)

    def decide(self, view: View) -> Decision:
        """Take it back if it is still there; what is reserved is not."""
        booking, code = self.booking, self.booking.unit.code
        amount = booking.amount if self.amount is None else check_amount(self.amount)
        if amount > booking.amount:
            raise Invalid("amount", f"only {show_money(booking.amount, code)} were booked")
        account, at_bank = booking.account, bank(booking.unit)
        debit, credit = at_bank, account
        if booking.kind == "top_up":
            debit, credit = account, at_bank
            available = min(view.account(account).available, -view.account(at_bank).balance)
            if amount > available:
                raise CorrectionNotCovered(max(0, available), amount, code)
        correction = Correction(
            view.new_id(),
            booking.kind,
            booking.id,
            booking.owner_id or OPERATOR_ID,
            amount,
            code,
            self.reason,
            view.now,
        )
        shown = correction_view(correction)
        transfer = Transfer(debit, credit, amount, TransferCode.CORRECTION, correction.id)
        writes = [Write(CORRECTIONS, correction)]
        if booking.owner_id is not None:
            event = f"{booking.kind}.corrected"
            writes += announce(view, booking.owner_id, event, correction.id, shown, self.endpoints)
        return Decision(shown, (transfer,), writes)


class Corrections:
    """Books corrections and lists them."""

    def __init__(self, pool: Pool, journal: Journal, ids: Ids) -> None:
        self._pool = pool
        self._journal = journal
        self._ids = ids

    async def booking(self, text: str) -> Booking:
        """The booking of an id (top_…, pyt_…, wdr_…), or of a bank's reference.

        Of bookings with one reference it is the one that still stands. Raises `NotFound`; `Invalid`
        for what can be neither, and if the reference stands for several, as a top-up's and a
        payout's may.
        """
        text = clean_text(text, "booking", REFERENCE_LENGTH)
        async with self._pool.acquire() as connection:
            return await _find(connection, text)

    async def make(
        self, booking: str, amount: int | None, reason: str, idempotency: Idempotency | None
    ) -> Outcome:
        """Correct a booking, named as `booking` takes it; the outcome is a CorrectionView.

        Raises what `booking` raises, `AlreadyCorrected` and `CorrectionNotCovered`.
        """
        booking = clean_text(booking, "booking", REFERENCE_LENGTH)
        reason = clean_text(reason, "reason", NOTE_LENGTH)

        async def entry() -> Entry:
            async with self._pool.acquire() as connection:
                wrong = await _find(connection, booking)
                await _refuse_second(connection, wrong)
                terms: int | None = None
                endpoints: tuple[Endpoint, ...] = ()
                if wrong.kind == "payout" and wrong.owner_id is not None:
                    # first: endpoints that change after this make the entry stale
                    terms = await merchant_terms(connection, wrong.owner_id)
                    endpoints = await load_endpoints(connection, wrong.owner_id)
            return MakeCorrection(
                id=self._ids.entry(),
                idempotency=idempotency,
                booking=wrong,
                amount=amount,
                reason=reason,
                terms=terms,
                endpoints=endpoints,
            )

        return await submit_fresh(self._journal, self._pool, entry, idempotency)

    async def get(self, correction_id: UUID) -> Correction:
        """One correction. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(f"{_CORRECTION} WHERE id = $1", correction_id)
        if row is None:
            raise NotFound("correction", show_id("cor", correction_id))
        return Correction(*row)

    async def all(self, before: UUID | None, limit: int) -> list[Correction]:
        """All corrections, newest first."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                f"{_CORRECTION} WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",
                before,
                limit,
            )
        return [Correction(*row) for row in rows]

    async def taken_back(self, bookings: Collection[UUID]) -> dict[UUID, int]:
        """How much was taken back of each of these bookings, if anything was."""
        async with self._pool.acquire() as connection:
            return await corrected(connection, bookings)


_CORRECTION: Final = f"SELECT {', '.join(CORRECTIONS.columns)} FROM corrections"


async def _find(connection: Connection, text: str) -> Booking:
    wanted = _read(text)
    rows = await connection.fetch(
        f"SELECT b.* FROM ({_BOOKINGS}) AS b WHERE "
        + (
            "b.id = $1 AND b.kind = $2"
            if wanted is not None
            else "b.reference = $1 AND $2::text IS NULL AND NOT EXISTS "
            "(SELECT FROM corrections AS c WHERE c.booking_id = b.id AND c.amount = b.amount)"
        ),
        *(wanted or (text, None)),
    )
    found = [
        Booking(kind, booking_id, owner_id, amount, currency(code), reference)
        for kind, booking_id, owner_id, amount, code, reference in rows
    ]
    if not found:
        raise NotFound("booking", text if wanted is not None else "with this id or reference")
    if len(found) > 1:
        ids = " and ".join(one.shown for one in found)
        raise Invalid("booking", f"stands for {ids}: give the id of one")
    return found[0]


def _read(text: str) -> tuple[UUID, BookingKind] | None:
    """The id and kind that the text shows; None if it is no booking's id."""
    for kind in KINDS:
        try:
            return read_id(kind.prefix, text), kind.name
        except Invalid:
            continue
    return None


async def _refuse_second(connection: Connection, booking: Booking) -> None:
    made: UUID | None = await connection.fetchval(
        "SELECT id FROM corrections WHERE booking_id = $1", booking.id
    )
    if made is not None:
        raise AlreadyCorrected(booking.shown, show_id("cor", made))


def correction_view(correction: Correction) -> CorrectionView:
    """The correction as the operator and its owner see it."""
    owner_id = None
    if correction.owner_id != OPERATOR_ID:
        owner_id = show_id("mer" if correction.booking == "payout" else "ppl", correction.owner_id)
    kind = next(kind for kind in KINDS if kind.name == correction.booking)
    return CorrectionView(
        show_id("cor", correction.id),
        show_id(kind.prefix, correction.booking_id),
        owner_id,
        correction.amount,
        correction.currency,
        correction.reason,
        correction.created_at,
    )
