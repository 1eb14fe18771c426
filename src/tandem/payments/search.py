"""Lists of payments in SQL: filtered, a page at a time."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from tandem.db import Connection
from tandem.kernel import first_id
from tandem.payments.model import PAYMENTS, Payment

SEARCHED: Final = timedelta(days=92)
"""How far back a text is looked for, where nobody says from when: it reads every payment."""
SKEW: Final = timedelta(minutes=1)
"""An id is made a moment before what it names is written, by a clock that may differ a little."""
_PAYMENT: Final = f"SELECT {', '.join(PAYMENTS.columns)} FROM payments"


class PaymentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which payments to list; None does not filter.

    `least` and `most` are amounts in minor units, both included; `since` is included and `until`
    is not. `paid` are those of which something was captured. `text` is looked for in the
    merchant's reference and in the description, in capitals or not.
    """

    merchant_id: UUID | None = None
    person_id: UUID | None = None
    shop_id: UUID | None = None
    till_id: UUID | None = None
    status: str | None = None
    order_reference: str | None = None
    way: str | None = None
    currency: str | None = None
    least: int | None = None
    most: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    paid: bool | None = None
    text: str | None = None


_CONDITIONS: Final = {
    "least": "amount >= {}",
    "most": "amount <= {}",
    "since": "created_at >= {}",
    "until": "created_at < {}",
    "paid": "(captured > 0) = {}",
    "text": "strpos(lower(concat_ws(E'\\n', order_reference, description)), lower({})) > 0",
}
"""What a filter asks of a row, where it is not that its column has this value."""


def conditions(wanted: PaymentFilter) -> tuple[list[str], list[Any]]:
    """What a filter asks of a row, and the values. Days bound the ids too: they grow with time."""
    asked, values = ["true"], list[Any]()

    def ask(condition: str, value: object) -> None:
        values.append(value)
        asked.append(condition.format(f"${len(values)}"))

    for name, value in msgspec.structs.asdict(wanted).items():
        if value is not None:
            ask(_CONDITIONS.get(name, f"{name} = {{}}"), value)
    if wanted.since is not None:
        ask("id >= {}", first_id(wanted.since - SKEW))
    if wanted.until is not None:
        ask("id < {}", first_id(wanted.until + SKEW))
    return asked, values


def bounded(wanted: PaymentFilter, now: datetime) -> PaymentFilter:
    """A filter that looks for a text no further back than `SEARCHED`, unless days are named."""
    if wanted.text is None or wanted.since is not None:
        return wanted
    return msgspec.structs.replace(wanted, since=(wanted.until or now) - SEARCHED)


async def list_payments(
    connection: Connection, wanted: PaymentFilter, before: UUID | None, limit: int
) -> list[Payment]:
    """Payments, newest first, older than `before`."""
    asked, values = conditions(wanted)
    if before is not None:
        values.append(before)
        asked.append(f"id < ${len(values)}")
    values.append(limit)
    rows = await connection.fetch(
        f"{_PAYMENT} WHERE {' AND '.join(asked)} ORDER BY id DESC LIMIT ${len(values)}",
        *values,
    )
    return [Payment(*row) for row in rows]
