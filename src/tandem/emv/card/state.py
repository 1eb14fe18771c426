"""What a card remembers between payments.

A state is a value. The card makes the next one and hands it over to be saved before the answer that
follows from it may leave: `tandem.emv.card.environment.Unsaved`.
"""

from typing import Annotated

import msgspec

from tandem.emv.card.profile import MAX_ATC

_Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_ATC)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class CardState(msgspec.Struct, frozen=True, kw_only=True):
    """Counters, and what the issuer last said. Amounts in minor units of the card's currency.

    `atc` is the number of the last transaction begun: it only grows, and no two cryptograms have
    the same one. `last_online_atc` is that of the last one that the issuer answered. What the other
    counters count and when they begin again is said at `tandem.emv.card.profile.Limits`. A stored
    one with a counter that cannot be is not read: below zero it would allow more than the limits.
    """

    atc: _Number = 0
    last_online_atc: _Number = 0
    unverified_total: _Count = 0
    unverified_count: _Count = 0
    transit_total: _Count = 0
    transit_count: _Count = 0
    offline_total: _Count = 0
    offline_count: _Count = 0
    go_online: bool = False
    """The issuer wants to be asked: nothing is approved offline until it answers."""
    blocked: bool = False
    """The issuer blocked the application: it is selected as invalidated and does nothing."""
