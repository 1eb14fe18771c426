"""All operations of the API, hot ones first."""

from typing import Any, Final

from tandem.api.operation import Operation
from tandem.api.routes import (
    bookings,
    books,
    cards,
    catalogue,
    codes,
    issuers,
    ledger,
    parties,
    paying,
    payments,
    records,
    sessions,
    shifts,
    sign_in,
    staff,
    tags,
    taps,
    till_orders,
    wallet,
    webhooks,
)

OPERATIONS: Final[tuple[Operation[Any], ...]] = (
    *payments.OPERATIONS,
    *paying.OPERATIONS,
    *wallet.OPERATIONS,
    *codes.OPERATIONS,
    *cards.OPERATIONS,
    *taps.OPERATIONS,
    *till_orders.OPERATIONS,
    *parties.OPERATIONS,
    *tags.OPERATIONS,
    *catalogue.OPERATIONS,
    *shifts.OPERATIONS,
    *sign_in.OPERATIONS,
    *sessions.OPERATIONS,
    *staff.OPERATIONS,
    *webhooks.OPERATIONS,
    *bookings.OPERATIONS,
    *books.OPERATIONS,
    *issuers.OPERATIONS,
    *records.OPERATIONS,
    *ledger.OPERATIONS,
)
