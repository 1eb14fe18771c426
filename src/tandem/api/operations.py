"""All operations of the API, hot ones first."""

from typing import Any, Final

from tandem.api.operation import Operation
from tandem.api.routes import cards, codes, operator, parties, payments, wallet, webhooks

OPERATIONS: Final[tuple[Operation[Any], ...]] = (
    *payments.OPERATIONS,
    *wallet.OPERATIONS,
    *codes.OPERATIONS,
    *cards.OPERATIONS,
    *parties.OPERATIONS,
    *webhooks.OPERATIONS,
    *operator.OPERATIONS,
)
