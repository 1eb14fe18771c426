"""The issuer's answer, as the card takes it: what it does to the card's state. Pure.

By method 2 the answer is a card status update (EMV Book 3, Annex C10): the issuer says what becomes
of the offline counters, whether it wants to be asked next, and whether it blocks the application.
By method 1 it is a response code, and 00 sets the offline counters to zero.
"""

from typing import Final

import msgspec

from tandem.emv.card.profile import Limits
from tandem.emv.card.state import CardState
from tandem.emv.cryptograms import ArpcMethod, IssuerAnswer

_APPROVED: Final = b"00"
_BLOCK: Final = 0x60
_GO_ONLINE: Final = 0x08
_COUNTERS: Final = 0x03


def after_answer(
    state: CardState,
    limits: Limits,
    method: ArpcMethod,
    answer: IssuerAnswer,
    atc: int,
    amount: int,
) -> CardState:
    """The state after the issuer's answer to the cryptogram with this ATC, over this amount.

    The answer's proof was checked. Bits that block the card or the application block the latter; it
    stays so: only the vault undoes it, by another profile.
    """
    state = msgspec.structs.replace(state, last_online_atc=atc, go_online=False)
    if method is ArpcMethod.ONE:
        if answer.answer != _APPROVED:
            return state
        return msgspec.structs.replace(state, offline_total=0, offline_count=0)
    flags = answer.answer[1]
    total, count = (
        (state.offline_total, state.offline_count),
        (limits.offline_total, limits.offline_count),
        (0, 0),
        (state.offline_total + amount, state.offline_count + 1),
    )[flags & _COUNTERS]
    return msgspec.structs.replace(
        state,
        offline_total=total,
        offline_count=count,
        go_online=bool(flags & _GO_ONLINE),
        blocked=state.blocked or bool(flags & _BLOCK),
    )
