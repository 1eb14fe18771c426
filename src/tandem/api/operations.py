"""All operations of the API, hot ones first."""

from typing import Any, Final

from tandem.api.operation import Operation
from tandem.api.routes import (
    bookings,
    books,
    cards,
    codes,
    issuers,
    ledger,
    parties,
    paying,
    payments,
    personal_data,
    records,
    sessions,
    sign_in,
    staff,
    tags,
    taps,
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
    *parties.OPERATIONS,
    *tags.OPERATIONS,
    *personal_data.OPERATIONS,
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
