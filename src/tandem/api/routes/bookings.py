"""What the operator books by hand, beside the bank's statement, and how it is put right."""

from collections.abc import Callable, Sequence
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from msgspec import Meta

from tandem.api.operation import Body, Call, HasId, ListQuery, Page, operation, page
from tandem.kernel import MAX_AMOUNT, NOTE_LENGTH, NotFound
from tandem.ledger import REFERENCE_LENGTH, Outcome, ReferenceBooked
from tandem.settlement import (
    AlreadyCorrected,
    CorrectionNotCovered,
    Corrections,
    CorrectionView,
    PayoutNotCovered,
    Payouts,
    PayoutView,
    WithdrawalNotCovered,
    Withdrawals,
    WithdrawalView,
    correction_view,
    payout_view,
    withdrawal_view,
)
from tandem.wallet import TopUpView, Wallet, top_up_view

Amount = Annotated[
    int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units of the currency", examples=[10000])
]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
]
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=REFERENCE_LENGTH,
        description="The bank's reference; it is booked once",
        examples=["BANK-2026-11-23-77"],
    ),
]


class Services(Protocol):
    """What these operations use."""

    @property
    def wallet(self) -> Wallet:
        """The use cases of the wallet."""
        ...

    @property
    def payouts(self) -> Payouts:
        """The use cases of payouts."""
        ...

    @property
    def withdrawals(self) -> Withdrawals:
        """The use cases of withdrawals."""
        ...

    @property
    def corrections(self) -> Corrections:
        """The use cases of corrections."""
        ...


class CreateTopUp(Body, frozen=True, kw_only=True):
    """Money that came in at the operator's bank for a person."""

    amount: Amount
    currency: CurrencyCode
    reference: Reference


class CreatePayout(Body, frozen=True, kw_only=True):
    """Money that the operator sent to a merchant by bank."""

    amount: Amount
    currency: CurrencyCode
    reference: Reference


class CreateWithdrawal(Body, frozen=True, kw_only=True):
    """Money that the operator sent to a person's bank, or took out of its own income."""

    amount: Amount
    currency: CurrencyCode
    reference: Reference


class CreateCorrection(Body, frozen=True, kw_only=True):
    """What was booked wrongly, and how much of it is taken back."""

    booking: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=REFERENCE_LENGTH,
            description="Its id (top_…, pyt_… or wdr_…), or the bank's reference",
            examples=["top_0199f0a4c0de7000800000000000002e"],
        ),
    ]
    amount: Annotated[
        Amount | None, Meta(description="All of it if not given", examples=[9000])
    ] = None
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=NOTE_LENGTH,
            description="Why, as its owner reads it",
            examples=["100.00 came in, not 190.00"],
        ),
    ]


@operation(
    "POST",
    "/v1/people/{person_id}/top-ups",
    tag="Operator",
    summary="Book a top-up",
    who=("operator",),
    office="money",
    status=201,
    idempotency="required",
    answer=TopUpView,
    errors=(NotFound, ReferenceBooked),
)
async def create_top_up(call: Call[Services], person_id: UUID, body: CreateTopUp) -> Outcome:
    """Book money that came in at the bank into a person's wallet."""
    return await call.services.wallet.top_up(
        person_id, body.amount, body.currency, body.reference, call.idempotency
    )


@operation(
    "GET",
    "/v1/people/{person_id}/top-ups",
    tag="Operator",
    summary="List a person's top-ups",
    who=("operator",),
)
async def list_top_ups(call: Call[Services], person_id: UUID, query: ListQuery) -> Page[TopUpView]:
    """A person's top-ups, newest first, with what was taken back of each."""
    rows = await call.services.wallet.top_ups(person_id, query.after_id("top"), query.limit + 1)
    return await _page(call, rows, query.limit, top_up_view)


@operation(
    "POST",
    "/v1/merchants/{merchant_id}/payouts",
    tag="Operator",
    summary="Book a payout",
    who=("operator",),
    office="money",
    status=201,
    idempotency="required",
    answer=PayoutView,
    errors=(NotFound, PayoutNotCovered, ReferenceBooked),
)
async def create_payout(call: Call[Services], merchant_id: UUID, body: CreatePayout) -> Outcome:
    """Book money that was sent to a merchant by bank. Its balance must cover it."""
    return await call.services.payouts.make(
        merchant_id, body.amount, body.currency, body.reference, call.idempotency
    )


@operation(
    "GET",
    "/v1/merchants/{merchant_id}/payouts",
    tag="Operator",
    summary="List a merchant's payouts",
    who=("operator",),
)
async def list_payouts_of_merchant(
    call: Call[Services], merchant_id: UUID, query: ListQuery
) -> Page[PayoutView]:
    """A merchant's payouts, newest first, with what was taken back of each."""
    return await _payouts(call, merchant_id, query)


@operation(
    "GET",
    "/v1/payouts",
    tag="Merchants",
    summary="List payouts",
    who=("merchant",),
    scope="payouts:read",
)
async def list_payouts(call: Call[Services], query: ListQuery) -> Page[PayoutView]:
    """The merchant's payouts, newest first, with what was taken back of each."""
    return await _payouts(call, call.principal.owner_id, query)


@operation(
    "POST",
    "/v1/people/{person_id}/withdrawals",
    tag="Operator",
    summary="Book a withdrawal",
    who=("operator",),
    office="money",
    status=201,
    idempotency="required",
    answer=WithdrawalView,
    errors=(NotFound, WithdrawalNotCovered, ReferenceBooked),
)
async def create_withdrawal(
    call: Call[Services], person_id: UUID, body: CreateWithdrawal
) -> Outcome:
    """Book money that was sent to a person's bank. Their balance must cover it.

    What is reserved for payments does not count. Limits are for what the person spends.
    """
    return await call.services.withdrawals.make(
        person_id, body.amount, body.currency, body.reference, call.idempotency
    )


@operation(
    "GET",
    "/v1/people/{person_id}/withdrawals",
    tag="Operator",
    summary="List a person's withdrawals",
    who=("operator",),
)
async def list_withdrawals_of_person(
    call: Call[Services], person_id: UUID, query: ListQuery
) -> Page[WithdrawalView]:
    """A person's withdrawals, newest first, with what was taken back of each."""
    rows = await call.services.withdrawals.of_person(
        person_id, query.after_id("wdr"), query.limit + 1
    )
    return await _page(call, rows, query.limit, withdrawal_view)


@operation(
    "POST",
    "/v1/fees/withdrawals",
    tag="Operator",
    summary="Take out income",
    who=("operator",),
    office="money",
    status=201,
    idempotency="required",
    answer=WithdrawalView,
    errors=(WithdrawalNotCovered, ReferenceBooked),
)
async def withdraw_fees(call: Call[Services], body: CreateWithdrawal) -> Outcome:
    """Book income from fees that the operator moved to a bank account of its own."""
    return await call.services.withdrawals.make(
        None, body.amount, body.currency, body.reference, call.idempotency
    )


@operation(
    "GET",
    "/v1/withdrawals",
    tag="Operator",
    summary="List withdrawals",
    who=("operator",),
)
async def list_withdrawals(call: Call[Services], query: ListQuery) -> Page[WithdrawalView]:
    """All withdrawals, people's and the operator's own, newest first."""
    rows = await call.services.withdrawals.all(query.after_id("wdr"), query.limit + 1)
    return await _page(call, rows, query.limit, withdrawal_view)


@operation(
    "POST",
    "/v1/corrections",
    tag="Operator",
    summary="Correct a booking",
    who=("operator",),
    office="money",
    status=201,
    idempotency="required",
    answer=CorrectionView,
    errors=(NotFound, CorrectionNotCovered, AlreadyCorrected),
)
async def create_correction(call: Call[Services], body: CreateCorrection) -> Outcome:
    """Take back a top-up, a payout or a withdrawal that was booked wrongly or bounced.

    It is an entry of its own, made once for each booking; its owner is told, and reads the reason.
    A part leaves the rest as it was booked. After the whole the bank's reference is free again:
    book it as it should have been. What a person has spent or reserved cannot be taken back.
    """
    return await call.services.corrections.make(
        body.booking, body.amount, body.reason, call.idempotency
    )


@operation(
    "GET",
    "/v1/corrections",
    tag="Operator",
    summary="List corrections",
    who=("operator",),
)
async def list_corrections(call: Call[Services], query: ListQuery) -> Page[CorrectionView]:
    """All corrections, newest first."""
    rows = await call.services.corrections.all(query.after_id("cor"), query.limit + 1)
    return page(rows, query.limit, correction_view)


@operation(
    "GET",
    "/v1/corrections/{correction_id}",
    tag="Operator",
    summary="Get a correction",
    who=("operator",),
)
async def get_correction(call: Call[Services], correction_id: UUID) -> CorrectionView:
    """One correction, with the id of what it corrects."""
    return correction_view(await call.services.corrections.get(correction_id))


class _Row(Protocol):
    """A booking as it is stored."""

    @property
    def id(self) -> UUID: ...


R = TypeVar("R", bound=_Row)
V = TypeVar("V", bound=HasId)


async def _page(
    call: Call[Services], rows: Sequence[R], limit: int, view: Callable[[R, int], V]
) -> Page[V]:
    """A page of bookings, each with what was taken back of it."""
    taken = await call.services.corrections.taken_back([row.id for row in rows])
    return page(rows, limit, lambda row: view(row, taken.get(row.id, 0)))


async def _payouts(call: Call[Services], merchant_id: UUID, query: ListQuery) -> Page[PayoutView]:
    rows = await call.services.payouts.of_merchant(
        merchant_id, query.after_id("pyt"), query.limit + 1
    )
    return await _page(call, rows, query.limit, payout_view)


OPERATIONS = (
    create_top_up,
    list_top_ups,
    create_payout,
    list_payouts_of_merchant,
    list_payouts,
    create_withdrawal,
    list_withdrawals_of_person,
    withdraw_fees,
    list_withdrawals,
    create_correction,
    list_corrections,
    get_correction,
)
