"""What the host answered, taken up (EMV Book 3, 10.9).

The card is gone: a contactless payment is one tap. So there is no second GENERATE AC, the issuer's
authentication data and scripts do not reach the card here (a device gets them by its own network),
and the host's answer decides. Without an answer a payment is declined, and whoever sent the request
has to reverse it; only at a gate of public transport may a person be let through, and the
cryptogram is sent on later.
"""

from dataclasses import replace
from typing import NamedTuple

from tandem.emv.terminal.outcome import Message, Outcome, Result, UiStatus, Why


class HostAnswer(NamedTuple):
    """The issuer's decision. `issuer_data` is Issuer Authentication Data (91), if it sent some."""

    approved: bool
    issuer_data: bytes = b""


def complete(outcome: Outcome, answer: HostAnswer | None) -> Outcome:
    """The final outcome of an online request; `answer` is None if there was none in time.

    Raises `ValueError` for an outcome that asks nobody: a fault of the program.
    """
    if outcome.result is not Result.ONLINE_REQUEST:
        raise ValueError(f"{outcome.result} asks nobody")
    if answer is None:
        why = Why.DEFERRED if outcome.deferrable else Why.NO_ANSWER
        return _final(outcome, why, approved=outcome.deferrable)
    why = Why.HOST_APPROVED if answer.approved else Why.HOST_DECLINED
    final = _final(outcome, why, approved=answer.approved)
    return replace(final, issuer_data=answer.issuer_data)


def _final(outcome: Outcome, why: Why, *, approved: bool) -> Outcome:
    message = Message.APPROVED if approved else Message.NOT_AUTHORISED
    status = UiStatus.CARD_READ_SUCCESSFULLY if approved else UiStatus.PROCESSING_ERROR
    return replace(
        outcome,
        result=Result.APPROVED if approved else Result.DECLINED,
        why=why,
        ui=replace(outcome.ui, message=message, status=status),
        receipt=True,
        deferrable=False,
    )
