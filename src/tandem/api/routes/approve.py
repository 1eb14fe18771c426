"""How a request says that a manager approved it, and by whose limits a refund goes."""

from typing import Annotated

from msgspec import Meta

from tandem.access import Principal
from tandem.payments import Refunder
from tandem.signin import Approver, Assertion

ApprovedBy = Annotated[
    Assertion | None,
    Meta(
        description=(
            "What a manager's or an owner's passkey answered to the `options` in the `approval` of "
            "the refusal; a repeat sends the same again"
        ),
        examples=[None],
    ),
]


def refunder(principal: Principal, approver: Approver | None = None) -> Refunder | None:
    """The member of staff by whose limits a refund goes: who approved it, or who asks.

    None for a key, which has no limit.
    """
    if approver is not None:
        return Refunder(approver.id, *approver.most)
    who = principal.signed_in
    if who is None:
        return None
    return Refunder(who.holder_id, who.refund_limit, who.refund_day_limit)
