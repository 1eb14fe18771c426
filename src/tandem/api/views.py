"""The ledger's transfers and accounts as the API shows them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Connection
from tandem.kernel import currency_by_number, entry_of, show_id
from tandem.ledger import (
    OPERATOR_ID,
    Account,
    AccountCode,
    TransferCode,
    TransferKind,
    TransferRow,
    kind_of,
    object_of,
)
from tandem.office import owners_of_accounts

Amount = Annotated[int, Meta(description="Minor units of the currency", examples=[3800])]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
]
AccountId = Annotated[str, Meta(examples=["acc_0199f0a4c0de70008000000000002702"])]
Kind = Annotated[
    str,
    Meta(
        examples=["person"],
        extra_json_schema={"enum": [code.name.lower() for code in AccountCode]},
    ),
]
_OWNERS: Final = {
    AccountCode.PERSON: "ppl",
    AccountCode.MERCHANT: "mer",
    AccountCode.ISSUER: "iss",
    AccountCode.PACKET: "pkt",
}
OwnerName = Annotated[
    str | None,
    Meta(
        description="The account's owner; null for the operator's own and a packet's",
        examples=["Lin Wei"],
    ),
]
Total = Annotated[int, Meta(description="Minor units", examples=[3800])]


class TransferView(msgspec.Struct, frozen=True):
    """A transfer of the ledger."""

    id: Annotated[str, Meta(examples=["trf_0199f0a4c0de70008000000000000101"])]
    entry_id: Annotated[
        str,
        Meta(
            description="The journal entry that it is part of",
            examples=["ent_0199f0a4c0de70008000000000000100"],
        ),
    ]
    object_id: Annotated[
        str,
        Meta(
            description="What it was made for: a payment, a send, a top-up …",
            examples=["pay_0199f0a4c0de7000800000000000002a"],
        ),
    ]
    debit_account_id: AccountId
    credit_account_id: Annotated[str, Meta(examples=["acc_0199f0a4c0de70008000000000002703"])]
    amount: Amount
    currency: CurrencyCode
    code: Annotated[
        str,
        Meta(
            description="Why money moved",
            examples=["payment"],
            extra_json_schema={"enum": [code.name.lower() for code in TransferCode]},
        ),
    ]
    kind: Annotated[
        str,
        Meta(
            description="At once, or a phase: reserved, then posted, released or expired",
            examples=["posted"],
            extra_json_schema={"enum": [kind.name.lower() for kind in TransferKind]},
        ),
    ]
    pending_id: Annotated[str | None, Meta(description="The pending transfer that it resolves")]
    created_at: Annotated[datetime, Meta(description="RFC 3339, UTC")]
    debit_kind: Kind
    credit_kind: Annotated[Kind, Meta(examples=["merchant"])]
    debit_name: OwnerName
    credit_name: Annotated[OwnerName, Meta(examples=["Blue Door"])]


class AccountView(msgspec.Struct, frozen=True):
    """An account of the ledger, with its running totals. Minor units."""

    id: AccountId
    kind: Kind
    owner_id: Annotated[
        str | None,
        Meta(
            description="ppl_…, mer_…, iss_… or pkt_…; null for the operator's own",
            examples=["ppl_0199f0a4c0de70008000000000000001"],
        ),
    ]
    currency: CurrencyCode
    balance: Annotated[int, Meta(description="Credits less debits posted", examples=[6200])]
    debits_pending: Annotated[int, Meta(examples=[0])]
    debits_posted: Total
    credits_pending: Annotated[int, Meta(examples=[0])]
    credits_posted: Annotated[int, Meta(examples=[10000])]
    overdraft: Annotated[int, Meta(description="How far it may go below zero", examples=[0])]
    transfers: Annotated[int, Meta(description="How many moved it", examples=[2])]
    created_at: Annotated[datetime, Meta(description="RFC 3339, UTC")]
    owner_name: Annotated[
        str | None, Meta(description="null for the operator's own", examples=["Lin Wei"])
    ]


async def transfer_views(connection: Connection, rows: Sequence[TransferRow]) -> list[TransferView]:
    """Transfers as they are shown, with whose accounts they move."""
    accounts = {one for row in rows for one in (row.debit_account_id, row.credit_account_id)}
    names = await owners_of_accounts(connection, accounts)
    return [_transfer_view(row, names) for row in rows]


def _transfer_view(row: TransferRow, names: Mapping[UUID, str]) -> TransferView:
    return TransferView(
        id=show_id("trf", row.id),
        entry_id=show_id("ent", entry_of(row.id)),
        object_id=object_of(row),
        debit_account_id=show_id("acc", row.debit_account_id),
        credit_account_id=show_id("acc", row.credit_account_id),
        amount=row.amount,
        currency=currency_by_number(row.ledger).code,
        code=TransferCode(row.code).name.lower(),
        kind=TransferKind(row.kind).name.lower(),
        pending_id=None if row.pending_id is None else show_id("trf", row.pending_id),
        created_at=row.created_at,
        debit_kind=kind_of(row.debit_account_id).name.lower(),
        credit_kind=kind_of(row.credit_account_id).name.lower(),
        debit_name=names.get(row.debit_account_id),
        credit_name=names.get(row.credit_account_id),
    )


def account_view(account: Account, owner_name: str | None) -> AccountView:
    """An account as it is shown, with what its owner is called."""
    code = AccountCode(account.code)
    owner_id = None
    if account.owner_id != OPERATOR_ID:
        owner_id = show_id(_OWNERS[code], account.owner_id)
    return AccountView(
        id=show_id("acc", account.id),
        kind=code.name.lower(),
        owner_id=owner_id,
        currency=currency_by_number(account.ledger).code,
        balance=account.balance,
        debits_pending=account.debits_pending,
        debits_posted=account.debits_posted,
        credits_pending=account.credits_pending,
        credits_posted=account.credits_posted,
        overdraft=account.overdraft,
        transfers=account.transfers,
        created_at=account.created_at,
        owner_name=owner_name,
    )
