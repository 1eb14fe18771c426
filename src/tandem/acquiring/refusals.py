"""The one table from refusals to response codes (element 39). No refusal knows a code."""

from typing import Final

from tandem.acquiring.codes import ResponseCode as Code
from tandem.acquiring.errors import (
    AmountImpossible,
    LinkKeyMissing,
    LinksUnusable,
    MacMissing,
    MacWrong,
    MessageMalformed,
    NotSignedOn,
    TerminalUnknown,
    TransactionUnknown,
)
from tandem.cards import IssuerAway, IssuerSilent
from tandem.db import IdempotencyConflict
from tandem.db.errors import DatabaseUnavailable
from tandem.kernel import Invalid, NotFound, Refused
from tandem.ledger import ChangedMeanwhile, InsufficientFunds, JournalBusy
from tandem.merchants import WayRefused
from tandem.payments import (
    CaptureExceedsAuthorised,
    CardUnknown,
    CurrencyNotTaken,
    MerchantNotActive,
    PaymentConflict,
    PaymentTaken,
    RefundExceedsCaptured,
    RefundNotCovered,
    ReversalNotCovered,
)
from tandem.people import LimitExceeded, PayerNotActive

CODES: Final[dict[type[Refused], Code]] = {
    MessageMalformed: Code.FORMAT_ERROR,
    MacMissing: Code.SECURITY_VIOLATION,
    MacWrong: Code.SECURITY_VIOLATION,
    NotSignedOn: Code.UNAVAILABLE,
    LinkKeyMissing: Code.MALFUNCTION,
    LinksUnusable: Code.MALFUNCTION,
    TerminalUnknown: Code.NOT_PERMITTED_TO_TERMINAL,
    TransactionUnknown: Code.INVALID_TRANSACTION,
    AmountImpossible: Code.INVALID_AMOUNT,
    IdempotencyConflict: Code.DUPLICATE,
    InsufficientFunds: Code.INSUFFICIENT_FUNDS,
    RefundNotCovered: Code.INSUFFICIENT_FUNDS,
    ReversalNotCovered: Code.UNAVAILABLE,  # it is to come again
    RefundExceedsCaptured: Code.INVALID_AMOUNT,
    CaptureExceedsAuthorised: Code.INVALID_AMOUNT,
    LimitExceeded: Code.ABOVE_AMOUNT_LIMIT,
    PayerNotActive: Code.RESTRICTED_CARD,
    MerchantNotActive: Code.INVALID_MERCHANT,
    CurrencyNotTaken: Code.INVALID_TRANSACTION,
    PaymentConflict: Code.INVALID_TRANSACTION,
    PaymentTaken: Code.INVALID_TRANSACTION,
    CardUnknown: Code.INVALID_CARD,
    NotFound: Code.NOT_FOUND,
    Invalid: Code.FORMAT_ERROR,
    ChangedMeanwhile: Code.UNAVAILABLE,
    JournalBusy: Code.UNAVAILABLE,
    DatabaseUnavailable: Code.UNAVAILABLE,
    IssuerAway: Code.UNAVAILABLE,
    IssuerSilent: Code.UNAVAILABLE,
}
"""By type, the nearest of a refusal's own types first. What is not here is 05; 91 if it passes."""

_WAYS: Final = {
    "way_off": Code.NOT_PERMITTED_TO_TERMINAL,
    "wallet_refused": Code.NOT_PERMITTED_TO_CARD,
    "partner_refused": Code.NOT_PERMITTED_TO_CARD,
    "amount_above_limit": Code.ABOVE_AMOUNT_LIMIT,
}


def response_code(refused: Refused) -> Code:
    """The response code of a refusal."""
    if isinstance(refused, WayRefused):
        return _WAYS.get(refused.reason, Code.DO_NOT_HONOUR)
    for kind in type(refused).__mro__:
        if kind in CODES:
            return CODES[kind]
    return Code.UNAVAILABLE if refused.passing else Code.DO_NOT_HONOUR
