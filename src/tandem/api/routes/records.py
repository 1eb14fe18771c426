"""Payments as the operator reads them: whoever's they are, with the entries behind each."""

from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.api.views import TransferView, transfer_views
from tandem.db import Pool
from tandem.kernel import read_id, show_id
from tandem.payments import (
    Payment,
    PaymentFilter,
    PaymentRecords,
    PaymentView,
    Status,
    merchant_view,
)


class Services(Protocol):
    """What these operations use."""

    @property
    def pool(self) -> Pool:
        """Connections for reads."""
        ...

    @property
    def records(self) -> PaymentRecords:
        """Payments, whoever's they are."""
        ...


class PaymentRecord(msgspec.Struct, frozen=True):
    """A payment as the operator sees it: with both sides."""

    id: Annotated[str, Meta(examples=["pay_0199f0a4c0de7000800000000000002a"])]
    merchant_id: Annotated[str, Meta(examples=["mer_0199f0a4c0de70008000000000000006"])]
    merchant: Annotated[str, Meta(description="The merchant's name", examples=["Blue Door"])]
    shop: Annotated[str, Meta(description="The shop's name", examples=["Blue Door, East Gate"])]
    person_id: Annotated[
        str | None,
        Meta(
            description="Who pays, once somebody does",
            examples=["ppl_0199f0a4c0de70008000000000000001"],
        ),
    ]
    person: Annotated[str | None, Meta(description="Their name", examples=["Lin Wei"])]
    payment: Annotated[PaymentView, Meta(description="As its merchant sees it")]


class BookedPayment(msgspec.Struct, frozen=True):
    """A payment with what the ledger booked for it."""

    record: PaymentRecord
    transfers: Annotated[
        list[TransferView], Meta(description="Of all its entries, in order; the fees among them")
    ]


class RecordQuery(ListQuery, frozen=True):
    """Which payments to list."""

    merchant_id: Annotated[str | None, Meta(description="Only this merchant's")] = None
    person_id: Annotated[str | None, Meta(description="Only what this person pays")] = None
    status: Annotated[Status | None, Meta(description="Only payments in this state")] = None


@operation(
    "GET",
    "/v1/ledger/payments",
    tag="Operator",
    summary="List all payments",
    who=("operator",),
    noted=True,
)
async def list_records(call: Call[Services], query: RecordQuery) -> Page[PaymentRecord]:
    """Everybody's payments with both sides, newest first, filtered as asked."""
    wanted = PaymentFilter(
        merchant_id=_id("mer", query.merchant_id, "merchant_id"),
        person_id=_id("ppl", query.person_id, "person_id"),
        status=None if query.status is None else query.status.value,
    )
    rows = await call.services.records.search(wanted, query.after_id("pay"), query.limit + 1)
    return page(rows, query.limit, record_view)


@operation(
    "GET",
    "/v1/ledger/payments/{payment_id}",
    tag="Operator",
    summary="Get a payment with its entries",
    who=("operator",),
    noted=True,
    rows="transfers",
)
async def get_record(call: Call[Services], payment_id: UUID) -> BookedPayment:
    """One payment with both sides and every transfer that was booked for it."""
    payment = await call.services.records.get(payment_id)
    rows = await call.services.records.booked(payment)
    async with call.services.pool.acquire() as connection:
        return BookedPayment(record_view(payment), await transfer_views(connection, rows))


def _id(prefix: str, text: str | None, field: str) -> UUID | None:
    return None if text is None else read_id(prefix, text, field)


def record_view(payment: Payment) -> PaymentRecord:
    """A payment as the operator sees it."""
    person_id = payment.person_id
    return PaymentRecord(
        show_id("pay", payment.id),
        show_id("mer", payment.merchant_id),
        payment.merchant_name,
        payment.shop_name,
        None if person_id is None else show_id("ppl", person_id),
        payment.payer_name,
        merchant_view(payment),
    )


OPERATIONS = (list_records, get_record)
