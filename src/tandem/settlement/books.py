"""A merchant's books: what it has in each currency, and every movement of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Connection, Pool
from tandem.kernel import (
    Currency,
    Invalid,
    NotFound,
    currency,
    currency_by_number,
    entry_of,
    show_id,
)
from tandem.ledger import (
    Account,
    AccountCode,
    Statement,
    TransferCode,
    accounts_of,
    line_type,
    lines_of,
    merchant,
    object_of,
    released_by,
    statement,
)
from tandem.merchants import merchant_exists
from tandem.payments import PaymentRecords

LINE_TYPES: Final = (
    *("payment", "refund", "fee", "payout", "correction"),
    *("reserved", "released"),
)
"""What a line of a merchant's statement can be."""


class MerchantBalance(msgspec.Struct, frozen=True):
    """What a merchant has in one currency. Minor units."""

    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    balance: Annotated[
        int,
        Meta(
            description="What the operator owes the merchant; below zero, what it is owed",
            examples=[366700],
        ),
    ]
    payable: Annotated[int, Meta(description="What can be paid out", examples=[366700])]
    refundable: Annotated[
        int, Meta(description="What refunds may take, the overdraft counted", examples=[366700])
    ]
    reserved: Annotated[
        int, Meta(description="Authorised by people and not captured yet", examples=[3000])
    ]
    overdraft: Annotated[
        int, Meta(description="How far refunds may take the balance below zero", examples=[0])
    ]


class MerchantLine(msgspec.Struct, frozen=True):
    """A movement of a merchant's balance, with the balance after it. Minor units."""

    number: Annotated[
        int, Meta(description="Its place in the account's order; the cursor", examples=[41])
    ]
    type: Annotated[
        str,
        Meta(
            description=(
                "reserved and released are amounts that are authorised and given free, which do "
                "not change the balance"
            ),
            examples=["payment"],
            extra_json_schema={"enum": list(LINE_TYPES)},
        ),
    ]
    change: Annotated[int, Meta(description="Plus for in, minus for out", examples=[3800])]
    reserved: Annotated[
        int, Meta(description="Plus: reserved by this; minus: captured or given free", examples=[0])
    ]
    balance: Annotated[int, Meta(description="The balance after it", examples=[366700])]
    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["CNY"])]
    object_id: Annotated[
        str,
        Meta(
            description="The payment, payout or correction behind it",
            examples=["pay_0199f0a4c0de7000800000000000002a"],
        ),
    ]
    order_reference: Annotated[
        str | None, Meta(description="Your own reference of the payment", examples=["order-1027"])
    ]
    message: Annotated[
        str | None, Meta(description="The bank's reference of a payout, why of a correction")
    ]
    entry_id: Annotated[
        str,
        Meta(
            description="A payment and its fee have the same",
            examples=["ent_0199f0a4c0de70008000000000000100"],
        ),
    ]
    created_at: datetime


class _Story(NamedTuple):
    """What stands behind a movement."""

    order_reference: str | None
    message: str | None


_NOTHING: Final = _Story(None, None)
_STORIES: Final = (
    ((TransferCode.PAYMENT, TransferCode.FEE, TransferCode.REFUND), "payments", "order_reference"),
    ((TransferCode.PAYOUT,), "payouts", "reference"),
    ((TransferCode.CORRECTION,), "corrections", "reason"),
)


class MerchantBooks:
    """What a merchant has, and how that came about."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def balances(self, merchant_id: UUID) -> list[MerchantBalance]:
        """The merchant's balance in every currency that it takes or took. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            await merchant_exists(connection, merchant_id)
            accounts = await accounts_of(connection, merchant_id)
        return [_balance(one) for one in accounts if one.code == AccountCode.MERCHANT]

    async def unit_of(self, merchant_id: UUID, code: str | None) -> Currency:
        """The currency that is named, or a merchant's only one. Raises `Invalid`."""
        if code is None:
            code = _only([one.currency for one in await self.balances(merchant_id)])
        return currency(code)

    async def statement(
        self, merchant_id: UUID, code: str | None, before: int | None, limit: int
    ) -> list[MerchantLine]:
        """The movements of a balance, newest first, numbered below `before`.

        `code` may be left out by a merchant with one currency. Raises `Invalid`.
        """
        unit = await self.unit_of(merchant_id, code)
        async with self._pool.acquire() as connection:
            return await self.read(connection, merchant_id, unit, before, limit)

    async def read(
        self,
        connection: Connection,
        merchant_id: UUID,
        unit: Currency,
        before: int | None,
        limit: int,
    ) -> list[MerchantLine]:
        """The same, by a connection that may be in a snapshot."""
        lines = await statement(connection, merchant(merchant_id, unit).id, before, limit)
        stories = await _stories(connection, lines)
        released = await released_by(connection, lines)
        return _shown(lines, unit, released, stories)

    async def entries(self, merchant_id: UUID, payment_id: UUID) -> list[MerchantLine]:
        """What moved the balance for one of its payments, in order. Raises `NotFound`."""
        records = PaymentRecords(self._pool)
        payment = await records.get(payment_id)
        if payment.merchant_id != merchant_id:
            raise NotFound("payment", show_id("pay", payment_id))
        unit = currency(payment.currency)
        booked = await records.booked(payment)
        lines = lines_of(merchant(merchant_id, unit).id, booked)
        async with self._pool.acquire() as connection:
            released = await released_by(connection, lines)
        stories = {payment.id: _Story(payment.order_reference, None)}
        return _shown(lines, unit, released, stories)


def _shown(
    lines: Sequence[Statement],
    unit: Currency,
    released: Mapping[UUID, int],
    stories: Mapping[UUID, _Story],
) -> list[MerchantLine]:
    shown: list[MerchantLine] = []
    for line in lines:
        kind, reserved = line_type(line, released)
        story = stories.get(line.transfer.reference, _NOTHING)
        shown.append(
            MerchantLine(
                number=line.number,
                type=kind,
                change=line.change,
                reserved=reserved,
                balance=line.balance,
                currency=unit.code,
                object_id=object_of(line.transfer),
                order_reference=story.order_reference,
                message=story.message,
                entry_id=show_id("ent", entry_of(line.transfer.id)),
                created_at=line.transfer.created_at,
            )
        )
    return shown


def _only(codes: Sequence[str]) -> str:
    if len(codes) != 1:
        raise Invalid("currency", f"must be one of {', '.join(codes)}")
    return codes[0]


def _balance(account: Account) -> MerchantBalance:
    free = account.balance - account.debits_pending
    return MerchantBalance(
        currency_by_number(account.ledger).code,
        account.balance,
        max(0, free),
        max(0, free + account.overdraft),
        account.credits_pending,
        account.overdraft,
    )


async def _stories(connection: Connection, lines: Sequence[Statement]) -> dict[UUID, _Story]:
    """What stands behind each line, by its transfer's reference."""
    found: dict[UUID, _Story] = {}
    for codes, table, column in _STORIES:
        wanted = {one.transfer.reference for one in lines if one.transfer.code in codes}
        if not wanted:
            continue
        rows = await connection.fetch(
            f"SELECT id, {column} FROM {table} WHERE id = ANY($1)", list(wanted)
        )
        for object_id, text in rows:
            found[object_id] = _Story(text, None) if table == "payments" else _Story(None, text)
    return found
