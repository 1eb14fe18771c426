"""All operations of the API, hot ones first."""

from typing import Any, Final

from tandem.api.operation import Operation
from tandem.api.routes import codes, operator, parties, paying, payments, wallet, webhooks

OPERATIONS: Final[tuple[Operation[Any], ...]] = (
    *payments.OPERATIONS,
    *paying.OPERATIONS,
    *wallet.OPERATIONS,
    *codes.OPERATIONS,
    *parties.OPERATIONS,
    *webhooks.OPERATIONS,
    *operator.OPERATIONS,
)
