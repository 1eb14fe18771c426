"""Card risk management: what the card decides by itself (EMV Book 3, 10.8). Pure.

A terminal asks for a decision: decline (AAC), ask the issuer (ARQC), or approve offline (TC). The
card gives that or a lower one, by its own limits; a terminal's word counts only where it asks for
more caution.
"""

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from tandem.emv.application_data import CryptogramType
from tandem.emv.card.profile import Limits
from tandem.emv.card.state import CardState

PURCHASE: Final = 0x00
REFUND: Final = 0x20


class Reason(StrEnum):
    """Why a card decided as it did, for the device to tell its person."""

    DONE = "done"
    """Nothing stood against it."""
    DECLINED_BY_TERMINAL = "declined_by_terminal"
    """The terminal asked the card to decline."""
    VERIFY = "verify"
    """The person has to verify themselves, and then tap again."""


class Asked(NamedTuple):
    """What a terminal asks for. `amount` in minor units of `currency`, an ISO number."""

    cryptogram: CryptogramType
    type: int
    amount: int
    currency: int
    cvm_required: bool = False
    transit: bool = False
    signed: bool = False
    """Whether the answer is to be signed (CDA)."""


class Decision(NamedTuple):
    """What the card answers, and its state if it does."""

    cryptogram: CryptogramType
    reason: Reason
    state: CardState


def decide(
    limits: Limits, currency: int, state: CardState, asked: Asked, *, verified: bool
) -> Decision:
    """Decide what a card in this state answers. `currency` is its own.

    Money that comes back is never declined here, and counts for nothing: the issuer decides about
    it. Everything else needs a verified person, or has to stay within the limits of payments
    without one. An approval offline needs a signature, or nobody could tell it from a forged one.
    """
    if asked.cryptogram is CryptogramType.AAC:
        return Decision(CryptogramType.AAC, Reason.DECLINED_BY_TERMINAL, state)
    if asked.type == REFUND:
        return Decision(CryptogramType.ARQC, Reason.DONE, state)
    if verified:
        state = msgspec.structs.replace(
            state, unverified_total=0, unverified_count=0, transit_total=0, transit_count=0
        )
    else:
        counted = _unverified(limits, currency, state, asked)
        if counted is None:
            return Decision(CryptogramType.AAC, Reason.VERIFY, state)
        state = counted
    if asked.cryptogram is CryptogramType.TC:
        counted = _offline(limits, currency, state, asked)
        if counted is not None:
            return Decision(CryptogramType.TC, Reason.DONE, counted)
    return Decision(CryptogramType.ARQC, Reason.DONE, state)


def _unverified(limits: Limits, currency: int, state: CardState, asked: Asked) -> CardState | None:
    """The state with a payment without verification counted, or None if it is not allowed."""
    if asked.cvm_required or asked.type != PURCHASE or asked.currency != currency:
        return None
    if asked.transit:
        total, count = state.transit_total + asked.amount, state.transit_count + 1
        allowed = (limits.transit_amount, limits.transit_total, limits.transit_count)
        counted = msgspec.structs.replace(state, transit_total=total, transit_count=count)
    else:
        total, count = state.unverified_total + asked.amount, state.unverified_count + 1
        allowed = (limits.unverified_amount, limits.unverified_total, limits.unverified_count)
        counted = msgspec.structs.replace(state, unverified_total=total, unverified_count=count)
    within = (asked.amount, total, count)
    return counted if all(v <= most for v, most in zip(within, allowed, strict=True)) else None


def _offline(limits: Limits, currency: int, state: CardState, asked: Asked) -> CardState | None:
    """The state with an approval offline counted, or None if the issuer must be asked."""
    if state.go_online or not asked.signed or (asked.type, asked.currency) != (PURCHASE, currency):
        return None
    total, count = state.offline_total + asked.amount, state.offline_count + 1
    if total > limits.offline_total or count > limits.offline_count:
        return None
    return msgspec.structs.replace(state, offline_total=total, offline_count=count)
