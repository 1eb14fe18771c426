"""Payments as the operator reads them: whoever's they are, with the entries behind each."""

from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.api.views import TransferView, transfer_views
from tandem.db import Pool
from tandem.emv.application_data import Method, Verifier
from tandem.kernel import read_id, show_id
from tandem.payments import (
    CardTap,
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


class TapRecord(msgspec.Struct, frozen=True):
    """The tap that made a payment, as its card's cryptogram stands behind it.

    What a dispute asks for: who verified the person and how, and whether anybody was asked.
    """

    card_id: Annotated[str, Meta(examples=["crd_0199f0a4c0de7000800000000000004a"])]
    counter: Annotated[
        int, Meta(description="The card's number of it, which counts (ATC)", examples=[17])
    ]
    verified_by: Annotated[
        str,
        Meta(
            description="Who verified that the person at the device is the card's",
            examples=["secure_element"],
            extra_json_schema={"enum": [one.name.lower() for one in Verifier]},
        ),
    ]
    method: Annotated[
        str,
        Meta(
            description="How",
            examples=["finger"],
            extra_json_schema={"enum": [one.name.lower() for one in Method]},
        ),
    ]
    gate: Annotated[
        bool, Meta(description="By the rules of gates of public transport, which verify nobody")
    ]
    offline: Annotated[
        bool, Meta(description="The terminal approved it by itself and told us later")
    ]
    terminal: Annotated[
        str,
        Meta(description="As the acquirer names it; the till, over this API", examples=["T1"]),
    ]
    receipt: Annotated[
        str,
        Meta(description="The terminal's retrieval reference number", examples=["000000000017"]),
    ]
    at: Annotated[datetime, Meta(description="When we heard of it")]


class BookedPayment(msgspec.Struct, frozen=True):
    """A payment with what the ledger booked for it."""

    record: PaymentRecord
    tap: Annotated[
        TapRecord | None, Meta(description="Of the device card that paid it; none of another way")
    ]
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
    """One payment with both sides, every transfer that was booked for it, and the tap it was."""
    records = call.services.records
    payment, tap = await records.get(payment_id), await records.tap(payment_id)
    rows = await records.booked(payment)
    async with call.services.pool.acquire() as connection:
        return BookedPayment(
            record_view(payment),
            None if tap is None else tap_record(tap),
            await transfer_views(connection, rows),
        )


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


def tap_record(tap: CardTap) -> TapRecord:
    """A tap as the operator sees it."""
    return TapRecord(
        show_id("crd", tap.card_id),
        tap.atc,
        Verifier(tap.verifier).name.lower(),
        Method(tap.method).name.lower(),
        tap.transit,
        tap.offline,
        tap.terminal,
        tap.rrn,
        tap.created_at,
    )


OPERATIONS = (list_records, get_record)
