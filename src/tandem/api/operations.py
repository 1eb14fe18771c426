"""All operations of the API, hot ones first."""

from typing import Any, Final

from tandem.api.operation import Operation
from tandem.api.routes import (
    bookings,
    books,
    card_uses,
    cards,
    codes,
    installation,
    issuers,
    ledger,
    messages,
    parties,
    paying,
    payments,
    records,
    sessions,
    sign_in,
    staff,
    support,
    tags,
    taps,
    vault,
    wallet,
    webhooks,
)

OPERATIONS: Final[tuple[Operation[Any], ...]] = (
    *payments.OPERATIONS,
    *paying.OPERATIONS,
    *wallet.OPERATIONS,
    *messages.OPERATIONS,
    *codes.OPERATIONS,
    *cards.OPERATIONS,
    *card_uses.OPERATIONS,
    *vault.OPERATIONS,
    *taps.OPERATIONS,
    *parties.OPERATIONS,
    *tags.OPERATIONS,
    *sign_in.OPERATIONS,
    *sessions.OPERATIONS,
    *staff.OPERATIONS,
    *support.OPERATIONS,
    *webhooks.OPERATIONS,
    *bookings.OPERATIONS,
    *books.OPERATIONS,
    *issuers.OPERATIONS,
    *records.OPERATIONS,
    *ledger.OPERATIONS,
    *installation.OPERATIONS,
)
